// SPDX-License-Identifier: Apache-2.0

package future

import (
	"errors"
	"fmt"
	"testing"

	. "github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/internal/test"
)

// await polls a future in a task of its own.
func await[T any](t *testing.T, r *rig, f Future[T]) *Task[T] {
	t.Helper()
	task := mustSpawn(t, r.Local, f)
	r.turn(1)
	return task
}

func TestJoin2(t *testing.T) {
	r := newRig(t)
	a, b := new(kid), NewPromise[string](nil)
	task := await(t, r, Join2[int, string](a, b))
	a.End(nil)
	r.turn(1)
	test.Equal(t, "done", task.Done(), false)
	a.Want(t, 2, 1)
	b.Resolve("b")
	r.turn(1)
	both, err := task.Result()
	test.Equal(t, "both", both, Both[int, string]{2, "b"})
	test.Equal(t, "error", err, nil)
	a.Want(t, 2, 1)
}

func TestJoin2DropsTheOtherAfterAnError(t *testing.T) {
	for _, which := range []int{0, 1} {
		r := newRig(t)
		cs := []*kid{new(kid), new(kid)}
		task := await(t, r, Join2[int, int](cs[0], cs[1]))
		cs[which].End(errFirst)
		r.turn(1)
		test.Equal(t, "error", task.Err(), errFirst)
		cs[0].Want(t, 2, 1)
		cs[1].Want(t, 1+which, 1)
	}
}

func TestAll(t *testing.T) {
	r := newRig(t)
	cs := []*kid{new(kid), new(kid), new(kid)}
	task := await(t, r, All[int](cs[0], cs[1], cs[2]))
	for i := range cs {
		test.Equal(t, "done", task.Done(), false)
		cs[2-i].End(nil)
		r.turn(1)
	}
	v, err := task.Result()
	test.Equal(t, "values", fmt.Sprint(v), "[4 3 2]")
	test.Equal(t, "error", err, nil)
	v, err = await(t, r, All[int]()).Result()
	test.Equal(t, "of none", len(v), 0)
	test.Equal(t, "error", err, nil)
}

func TestRaceDropsTheLosers(t *testing.T) {
	for _, failure := range []error{nil, errFirst} {
		r := newRig(t)
		cs := []*kid{new(kid), new(kid), new(kid)}
		task := await(t, r, Race[int](cs[0], cs[1], cs[2]))
		cs[1].End(failure)
		cs[2].End(nil)
		r.turn(1)
		v, err := task.Result()
		test.Equal(t, "value", v, 2)
		test.Equal(t, "error", err, failure)
		cs[0].Want(t, 2, 1)
		cs[1].Want(t, 2, 1)
		cs[2].Want(t, 1, 1)
	}
}

func TestFirst(t *testing.T) {
	r := newRig(t)
	a, b := new(kid), new(kid)
	task := await(t, r, First[int](a, b))
	a.End(errFirst)
	r.turn(1)
	test.Equal(t, "done", task.Done(), false)
	b.End(nil)
	r.turn(1)
	v, err := task.Result()
	test.Equal(t, "value", v, 3)
	test.Equal(t, "error", err, nil)

	a, b = &kid{Probe: probe{Ready: true}, Err: errFirst}, &kid{Probe: probe{Ready: true}, Err: errSecond}
	err = await(t, r, First[int](a, b)).Err()
	test.Equal(t, "all errors", errors.Is(err, errFirst) && errors.Is(err, errSecond), true)
}

// What is ended early takes its turns for it, and the result waits.
func TestCombinatorsUnwind(t *testing.T) {
	for name, c := range map[string]struct {
		make func(a *kid, b *slow) Future[int]
		want error
	}{
		"race":  {func(a *kid, b *slow) Future[int] { return Race[int](a, b) }, nil},
		"first": {func(a *kid, b *slow) Future[int] { return First[int](b, a) }, nil},
		"join2": {func(a *kid, b *slow) Future[int] {
			a.Err = errFirst
			j := Join2[int, int](a, b)
			return Func[int](func(cx *Context) (int, bool, error) {
				_, ready, err := j.Poll(cx)
				return 0, ready, err
			})
		}, errFirst},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			a, b := new(kid), &slow{Turns: 1, Err: errSecond}
			task := await(t, r, c.make(a, b))
			a.End(a.Err)
			r.turn(1)
			test.Equal(t, "unwinds", b.Unwinds, 1)
			test.Equal(t, "done", task.Done(), false)
			b.Waker.Wake()
			r.turn(1)
			test.Equal(t, "error", task.Err(), c.want)
			b.Want(t, b.Polls, 1)
		})
	}
}

func TestCancelOfACombinator(t *testing.T) {
	for name, make := range map[string]func(a *kid, b *slow) Future[int]{
		"race":  func(a *kid, b *slow) Future[int] { return Race[int](a, b) },
		"first": func(a *kid, b *slow) Future[int] { return First[int](a, b) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			a, b := new(kid), &slow{Turns: 1, Err: errSecond}
			task := await(t, r, make(a, b))
			task.Cancel()
			r.turn(0)
			a.Want(t, 1, 1)
			test.Equal(t, "done", task.Done(), false)
			b.Waker.Wake()
			r.turn(1)
			test.Equal(t, "outcome", task.Outcome(), CancelledRunning)
			test.Equal(t, "what went wrong in the end", task.Err(), errSecond)
			a.Want(t, 1, 1)
			b.Want(t, 2, 1)
		})
	}
	r := newRig(t)
	a, b := new(kid), new(kid)
	task := await(t, r, Join2[int, int](a, b))
	task.Cancel()
	r.turn(0)
	test.Equal(t, "error", task.Err(), ErrCancelled)
	a, b = new(kid), new(kid)
	lists := await(t, r, All[int](a, b))
	r.Evict(lists.Handle())
	a.Want(t, 1, 1)
	b.Want(t, 1, 1)
}

// That a piece was cancelled says nothing beside what went wrong in another.
func TestCancelledCombinatorTellsWhatWentWrong(t *testing.T) {
	r := newRig(t)
	a, b := &slow{Turns: 1, Err: ErrCancelled}, &slow{Turns: 1, Err: errSecond}
	task := await(t, r, Race[int](a, b))
	task.Cancel()
	r.turn(0)
	a.Waker.Wake()
	r.turn(1)
	test.Equal(t, "error", task.Err(), errSecond)
}
