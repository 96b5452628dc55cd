// SPDX-License-Identifier: Apache-2.0

package executor

import "time"

// Host is the event loop that drives an executor. One that watches descriptors is a
// [Watcher], too.
//
// Wake makes the loop call [Local.Poll] soon. It is called from any goroutine,
// also from inside a call to the executor by the owner, once each time the executor
// was idle and got work. A waker that is preempted calls it late, for a poll perhaps
// that finds nothing to do. It must neither block nor call into the executor. Its error is not acted upon: a host that has gone
// may say so, and nobody is left to tell.
type Host interface {
	Wake() error
}

type noHost struct{}

func (noHost) Wake() error { return nil }

var epoch = time.Now()

// monotonic is the default clock. It counts from the start of the process, as
// package time doesn't give the system's own count.
func monotonic() int64 { return int64(time.Since(epoch)) }
