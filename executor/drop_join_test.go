// SPDX-License-Identifier: Apache-2.0

package executor

import "testing"

// A join that is made while the joined task is being dropped, inside the poll of the
// task that evicts it, is refused: no task waits in vain.
func TestJoinInTheDropOfTheJoinedTask(t *testing.T) {
	r := newRig(t)
	p := new(probe)
	victim := mustSpawn[int](t, r.Local, p)
	r.turn(1)
	mustSpawn[int](t, r.Local, &probe{ready: true, onPoll: func(cx *Context) {
		p.onDrop = func() {
			_, ready, err := victim.Poll(cx)
			equal(t, "ready", ready, true)
			equal(t, "the error", err, ErrJoinItself)
		}
		equal(t, "evict", r.Evict(victim.Handle()), nil)
	}})
	r.turn(1)
	p.want(t, 1, 1)
}
