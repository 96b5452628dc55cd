// SPDX-License-Identifier: Apache-2.0

// Package future has what futures are made of other futures with: [Join2], [All],
// [Race] and [First] await several of them in one task, [Timeout] and [Deadline] end
// one that is late, [Scoped] runs one in a scope. [Interval] ticks, and a [Promise] is
// a future that others complete. All of it is on the public side of package executor,
// where you can make more.
package future
