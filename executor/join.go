// SPDX-License-Identifier: Apache-2.0

package executor

import "sync/atomic"

// ended stands in a task's joiner once the result is there. It is no waker.
const ended = 1

// join remembers the waker of the one task that awaits this one, and reports whether the
// result is there. A joiner that has finished makes room for another. For the owner; of
// a pool's task, for any goroutine.
func (t *task) join(w Waker) (over bool, err error) {
	word := (*uint64)(&t.joiner)
	for {
		j := Waker(atomic.LoadUint64(word))
		switch {
		case j == ended:
			return true, nil
		case j == w:
			return false, nil
		case j.Live():
			return false, ErrBusy
		case !t.pooled():
			t.joiner = w
			return false, nil
		case atomic.CompareAndSwapUint64(word, uint64(j), uint64(w)):
			return false, nil
		}
	}
}

// hasEnded reports whether the result is there. For the owner; of a pool's task, for any
// goroutine.
func (t *task) hasEnded() bool { return atomic.LoadUint64((*uint64)(&t.joiner)) == ended }

// inUse reports whether the storage has a task that hasn't ended.
func (t *task) inUse() bool { return t.local != nil && !t.hasEnded() }
