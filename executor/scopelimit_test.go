// SPDX-License-Identifier: Apache-2.0

package executor

import "testing"

// Who waits for the limit is cancelled as if he had begun, also if that was asked for
// before he was one of the waiting.
func TestDeadlineOfWhoWaitsForTheLimit(t *testing.T) {
	for _, at := range []int64{-1, 10} {
		r := newRig(t)
		s := NewScope(r.Local, ScopeConfig{Limit: 1})
		SpawnIn[int](s, new(probe))
		r.turn(1)
		p := new(probe)
		late, err := SpawnIn[int](s, p, WithDeadline[int](at))
		if err != nil {
			t.Fatal(err)
		}
		r.now = 10
		r.turn(0)
		equal(t, "done", late.Done(), true)
		p.want(t, 0, 1)
		s.Drop()
		equal(t, "live", r.Live(), 0)
	}
}

func TestLimitBelowZeroIsNone(t *testing.T) {
	r := newRig(t)
	s := NewScope(r.Local, ScopeConfig{Limit: -1})
	defer s.Drop()
	SpawnIn[int](s, new(probe))
	SpawnIn[int](s, new(probe))
	r.turn(2)
}
