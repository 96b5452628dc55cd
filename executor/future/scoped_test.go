// SPDX-License-Identifier: Apache-2.0

package future

import (
	"errors"
	"testing"

	. "github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/internal/test"
)

// family of Scoped: a body and one child.
func newScoped(t *testing.T) (r *rig, body, son *kid, kidTask **Task[int], task *Task[int]) {
	r = newRig(t)
	body, son, kidTask = new(kid), new(kid), new(*Task[int])
	task = mustSpawn(t, r.Local, Scoped(ScopeConfig{}, func(s *Scope) Future[int] {
		*kidTask = mustSpawn[int](t, s, son)
		return body
	}))
	r.turn(1)
	r.turn(1)
	return r, body, son, kidTask, task
}

func TestScopedWaitsForAll(t *testing.T) {
	r, body, kid, _, task := newScoped(t)
	body.End(nil)
	r.turn(1)
	test.Equal(t, "done", task.Done(), false)
	kid.End(nil)
	r.turn(1)
	r.turn(1)
	v, err := task.Result()
	test.Equal(t, "value", v, 2)
	test.Equal(t, "error", err, nil)
	body.Want(t, 2, 1)
}

func TestScopedEndsTheBodyAfterAChildsError(t *testing.T) {
	r, body, kid, _, task := newScoped(t)
	kid.End(errFirst)
	r.turn(1)
	r.turn(1)
	test.Equal(t, "error", errors.Is(task.Err(), errFirst), true)
	body.Want(t, 1, 1)
}

func TestScopedEndsTheChildrenAfterTheBodysError(t *testing.T) {
	r, body, kid, kidTask, task := newScoped(t)
	body.End(errFirst)
	r.turn(1)
	test.Equal(t, "done", task.Done(), false)
	r.turn(1)
	test.Equal(t, "outcome of the child", (*kidTask).Outcome(), CancelledRunning)
	r.turn(0)
	test.Equal(t, "error", task.Err(), errFirst)
	kid.Want(t, 1, 1)
}

func TestScopedIsCancelled(t *testing.T) {
	for _, evict := range []bool{false, true} {
		r, body, kid, kidTask, task := newScoped(t)
		if evict {
			r.Evict(task.Handle())
		} else {
			task.Cancel()
			for !task.Done() {
				r.Poll(Budget{})
			}
		}
		test.Equal(t, "error", task.Err(), ErrCancelled)
		test.Equal(t, "outcome of the child", (*kidTask).Outcome(), CancelledRunning)
		body.Want(t, 1, 1)
		kid.Want(t, 1, 1)
	}
}

func TestPoolTasksHaveNoScopes(t *testing.T) {
	c := newPoolRig(t, 1)
	whole := mustSpawn(t, c.Pool, Scoped(ScopeConfig{}, func(*Scope) Future[int] { return new(probe) }))
	c.turn(0, 1)
	test.Equal(t, "error", whole.Err(), ErrWrongLocal)
}

func TestPanicInTheDropOfOneDropsTheOthers(t *testing.T) {
	for name, make := range map[string]func(bad, good *probe) Future[[]int]{
		"all": func(bad, good *probe) Future[[]int] { return All[int](new(probe), bad, good) },
		"scoped": func(bad, good *probe) Future[[]int] {
			return Scoped(ScopeConfig{}, func(s *Scope) Future[[]int] {
				Spawn[int](s, good)
				return All[int](bad)
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			bad, good := &probe{OnDrop: func() { panic("bad") }}, new(probe)
			task := mustSpawn(t, r.Local, make(bad, good))
			r.Poll(Budget{})
			r.Poll(Budget{})
			r.Evict(task.Handle())
			_, err := task.Result()
			test.Equal(t, "error", err.Error(), "panic: bad")
			bad.Want(t, 1, 1)
			good.Want(t, 1, 1)
			test.Equal(t, "live", r.Live(), 0)
		})
	}
}
