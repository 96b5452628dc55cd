// SPDX-License-Identifier: Apache-2.0

package offload

import "runtime"

// mostWorkers keeps a pool well below the 10,000 threads at which Go ends the
// process.
const mostWorkers = 8192

// DefaultLimit is the limit of [Blocking]. Each of its workers may sit in a system
// call and so take a thread, and Go ends the process when the system refuses one. The
// limit is half of the threads that user, cgroup and system leave to this process. The
// other half is for Go itself, another pool, and the host's own threads. It is at least
// 1 and at most 8,192.
func DefaultLimit() int {
	reserve := 8 + 2*runtime.GOMAXPROCS(0)
	return min(max(1, (threadsLeft(2*mostWorkers+reserve)-reserve)/2), mostWorkers)
}
