// SPDX-License-Identifier: Apache-2.0

package future

import (
	"errors"
	"fmt"
	"testing"

	. "github.com/pillion-dev/pillion/executor"
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
	a.end(nil)
	r.turn(1)
	equal(t, "done", task.Done(), false)
	a.want(t, 2, 1)
	b.Resolve("b")
	r.turn(1)
	both, err := task.Result()
	equal(t, "both", both, Both[int, string]{2, "b"})
	equal(t, "error", err, nil)
	a.want(t, 2, 1)
}

func TestJoin2DropsTheOtherAfterAnError(t *testing.T) {
	for _, which := range []int{0, 1} {
		r := newRig(t)
		cs := []*kid{new(kid), new(kid)}
		task := await(t, r, Join2[int, int](cs[0], cs[1]))
		cs[which].end(errFirst)
		r.turn(1)
		equal(t, "error", task.Err(), errFirst)
		cs[0].want(t, 2, 1)
		cs[1].want(t, 1+which, 1)
	}
}

func TestAll(t *testing.T) {
	r := newRig(t)
	cs := []*kid{new(kid), new(kid), new(kid)}
	task := await(t, r, All[int](cs[0], cs[1], cs[2]))
	for i := range cs {
		equal(t, "done", task.Done(), false)
		cs[2-i].end(nil)
		r.turn(1)
	}
	v, err := task.Result()
	equal(t, "values", fmt.Sprint(v), "[4 3 2]")
	equal(t, "error", err, nil)
	v, err = await(t, r, All[int]()).Result()
	equal(t, "of none", len(v), 0)
	equal(t, "error", err, nil)
}

func TestRaceDropsTheLosers(t *testing.T) {
	for _, failure := range []error{nil, errFirst} {
		r := newRig(t)
		cs := []*kid{new(kid), new(kid), new(kid)}
		task := await(t, r, Race[int](cs[0], cs[1], cs[2]))
		cs[1].end(failure)
		cs[2].end(nil)
		r.turn(1)
		v, err := task.Result()
		equal(t, "value", v, 2)
		equal(t, "error", err, failure)
		cs[0].want(t, 2, 1)
		cs[1].want(t, 2, 1)
		cs[2].want(t, 1, 1)
	}
}

func TestFirst(t *testing.T) {
	r := newRig(t)
	a, b := new(kid), new(kid)
	task := await(t, r, First[int](a, b))
	a.end(errFirst)
	r.turn(1)
	equal(t, "done", task.Done(), false)
	b.end(nil)
	r.turn(1)
	v, err := task.Result()
	equal(t, "value", v, 3)
	equal(t, "error", err, nil)

	a, b = &kid{probe: probe{ready: true}, err: errFirst}, &kid{probe: probe{ready: true}, err: errSecond}
	err = await(t, r, First[int](a, b)).Err()
	equal(t, "all errors", errors.Is(err, errFirst) && errors.Is(err, errSecond), true)
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
			a.err = errFirst
			j := Join2[int, int](a, b)
			return FutureFunc[int](func(cx *Context) (int, bool, error) {
				_, ready, err := j.Poll(cx)
				return 0, ready, err
			})
		}, errFirst},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			a, b := new(kid), &slow{turns: 1, err: errSecond}
			task := await(t, r, c.make(a, b))
			a.end(a.err)
			r.turn(1)
			equal(t, "unwinds", b.unwinds, 1)
			equal(t, "done", task.Done(), false)
			b.waker.Wake()
			r.turn(1)
			equal(t, "error", task.Err(), c.want)
			b.want(t, b.polls, 1)
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
			a, b := new(kid), &slow{turns: 1, err: errSecond}
			task := await(t, r, make(a, b))
			task.Cancel()
			r.turn(0)
			a.want(t, 1, 1)
			equal(t, "done", task.Done(), false)
			b.waker.Wake()
			r.turn(1)
			equal(t, "outcome", task.Outcome(), CancelledRunning)
			equal(t, "what went wrong in the end", task.Err(), errSecond)
			a.want(t, 1, 1)
			b.want(t, 2, 1)
		})
	}
	r := newRig(t)
	a, b := new(kid), new(kid)
	task := await(t, r, Join2[int, int](a, b))
	task.Cancel()
	r.turn(0)
	equal(t, "error", task.Err(), ErrCancelled)
	a, b = new(kid), new(kid)
	lists := await(t, r, All[int](a, b))
	r.Evict(lists.Handle())
	a.want(t, 1, 1)
	b.want(t, 1, 1)
}

// That a piece was cancelled says nothing beside what went wrong in another.
func TestCancelledCombinatorTellsWhatWentWrong(t *testing.T) {
	r := newRig(t)
	a, b := &slow{turns: 1, err: ErrCancelled}, &slow{turns: 1, err: errSecond}
	task := await(t, r, Race[int](a, b))
	task.Cancel()
	r.turn(0)
	a.waker.Wake()
	r.turn(1)
	equal(t, "error", task.Err(), errSecond)
}
