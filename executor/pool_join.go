// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"sync"
	"sync/atomic"
)

// ended stands in a task's joiner once the result is there. It is no waker.
const ended = 1

// severalJoin marks a joiner that isn't the only one.
const severalJoin = 1 << 63

// joining has the second and further joiners of all pools' tasks, which are rare.
var joining struct {
	sync.Mutex
	more map[*task][]Waker
}

// await says whether the task has ended, and remembers the waker if it hasn't.
func (t *task) await(w Waker) bool {
	word := (*uint64)(&t.joiner)
	if atomic.CompareAndSwapUint64(word, 0, uint64(w)) {
		return false
	}
	j := atomic.LoadUint64(word)
	if j == ended || j&^severalJoin == uint64(w) {
		return j == ended
	}
	joining.Lock()
	defer joining.Unlock()
	// Who ends the task takes the lock after he has seen the mark, so that he finds
	// what is added to the list here.
	if !atomic.CompareAndSwapUint64(word, j, j|severalJoin) && t.hasEnded() {
		return true
	}
	for _, old := range joining.more[t] {
		if old == w {
			return false
		}
	}
	if joining.more == nil {
		joining.more = make(map[*task][]Waker)
	}
	joining.more[t] = append(joining.more[t], w)
	return false
}

func (t *task) otherJoiners() []Waker {
	joining.Lock()
	defer joining.Unlock()
	others := joining.more[t]
	delete(joining.more, t)
	return others
}

// hasEnded says whether the result is there, for any goroutine.
func (t *task) hasEnded() bool { return atomic.LoadUint64((*uint64)(&t.joiner)) == ended }

// inUse says whether the storage has a live task.
func (t *task) inUse() bool {
	if t.pooled() {
		return !t.hasEnded()
	}
	return t.flags&flagLive != 0
}
