// SPDX-License-Identifier: Apache-2.0

// Package future makes futures of other futures: [Join2], [All], [Race] and [First]
// await several in one task, [Timeout] and [Deadline] end a future that is late, and
// [Scoped] runs one in a scope. [Interval] ticks, and a [Promise] is a future that
// other code completes. The package uses only the public side of package executor, so
// programs can make more of this kind.
package future
