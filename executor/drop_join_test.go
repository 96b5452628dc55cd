// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"testing"

	"github.com/pillion-dev/pillion/executor/internal/test"
)

// A join that is made while the joined task is being dropped, inside the poll of the
// task that evicts it, is refused: no task waits in vain.
func TestJoinInTheDropOfTheJoinedTask(t *testing.T) {
	r := newRig(t)
	p := new(probe)
	victim := mustSpawn[int](t, r.Local, p)
	r.turn(1)
	mustSpawn[int](t, r.Local, &probe{Ready: true, OnPoll: func(cx *Context) {
		p.OnDrop = func() {
			_, ready, err := victim.Poll(cx)
			test.Equal(t, "ready", ready, true)
			test.Equal(t, "the error", err, ErrJoinItself)
		}
		test.Equal(t, "evict", r.Evict(victim.Handle()), nil)
	}})
	r.turn(1)
	p.Want(t, 1, 1)
}
