// SPDX-License-Identifier: Apache-2.0

package executor

import "time"

// Host is the event loop that drives an executor. A host that watches descriptors is a
// watch.Host, too.
//
// Wake makes the loop call [Local.Poll] soon. Any goroutine may call it, also the owner
// from inside a call to the executor, once each time an idle executor gets work. A
// preempted waker calls it late, and the poll may then find no work. Wake must neither
// block nor call into the executor. The executor ignores its error: a host that has
// gone may return one.
type Host interface {
	Wake() error
}

type noHost struct{}

func (noHost) Wake() error { return nil }

var epoch = time.Now()

// monotonic is the default clock. It counts from the start of the process, since
// package time doesn't give the system's own count.
func monotonic() int64 { return int64(time.Since(epoch)) }
