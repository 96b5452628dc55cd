// SPDX-License-Identifier: Apache-2.0

package offload

import "runtime"

// mostWorkers keeps a pool well below the 10,000 threads at which Go ends the
// process.
const mostWorkers = 8192

// DefaultLimit is the limit of [Blocking]: each of its workers may sit in a system
// call and so take a thread, and Go ends the process when it can't have one. A half
// of what user, cgroup and system leave to this process is for others: Go itself,
// another pool, the host's own threads. It is at least 1 and at most 8,192.
func DefaultLimit() int {
	reserve := 8 + 2*runtime.GOMAXPROCS(0)
	return min(max(1, (threadsLeft(2*mostWorkers+reserve)-reserve)/2), mostWorkers)
}
