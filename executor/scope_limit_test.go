// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"testing"

	"github.com/pillion-dev/pillion/executor/internal/test"
)

// A child that waits for the limit is cancelled as if it had begun, also if the cancel
// came before its wait.
func TestDeadlineOfWhoWaitsForTheLimit(t *testing.T) {
	for _, at := range []int64{-1, 10} {
		r := newRig(t)
		s := NewScope(r.Local, ScopeConfig{Limit: 1})
		Spawn[int](s, new(probe))
		r.turn(1)
		p := new(probe)
		late, err := Spawn[int](s, p, WithDeadline(at))
		if err != nil {
			t.Fatal(err)
		}
		r.now = 10
		r.turn(0)
		test.Equal(t, "done", late.Done(), true)
		p.Want(t, 0, 1)
		s.Drop()
		test.Equal(t, "live", r.Live(), 0)
	}
}

func TestLimitBelowZeroIsNone(t *testing.T) {
	r := newRig(t)
	s := NewScope(r.Local, ScopeConfig{Limit: -1})
	defer s.Drop()
	Spawn[int](s, new(probe))
	Spawn[int](s, new(probe))
	r.turn(2)
}

// Outside of a turn the host has to hear of who goes on because somebody is detached.
func TestDetachPokes(t *testing.T) {
	r := newRig(t)
	s := NewScope(r.Local, ScopeConfig{Limit: 1})
	defer s.Drop()
	mustSpawn[struct{}](t, r.Local, s)
	var children [3]*Task[int]
	for i := range children {
		children[i] = mustSpawn[int](t, s, new(probe))
	}
	r.turn(2)
	for i, polls := range []int{1, 1} { // the second child, the third
		r.turn(0)
		r.pokes = 0
		children[i].Detach()
		test.Equal(t, "pokes", r.pokes, 1)
		r.turn(polls)
	}
	r.turn(0)
	r.pokes = 0
	children[2].Detach()
	test.Equal(t, "pokes for the scope's end", r.pokes, 1)
	r.turn(1)
	held := NewScope(r.Local, ScopeConfig{Limit: 1})
	defer held.Drop()
	mustSpawn[int](t, held, new(probe))
	last := mustSpawn[int](t, held, new(probe))
	r.turn(1)
	r.turn(0)
	r.pokes = 0
	last.Detach()
	test.Equal(t, "pokes for who was held back", r.pokes, 1)
	r.turn(1)
}
