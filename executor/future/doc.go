// SPDX-License-Identifier: Apache-2.0

// Package future makes futures. [Sleep] and [Interval] wait, a [Promise] is completed by
// other code, and a [Func] is a function. [Join2], [All], [Race] and [First] await
// several futures in one task, [Timeout] and [Deadline] end one that is late, and
// [Scoped] runs one in a scope. [Run] waits for one without being a task. The package
// uses only the public side of package executor, so programs can make more of this kind.
package future
