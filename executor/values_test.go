// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"context"
	"testing"
	"time"

	"github.com/pillion-dev/pillion/executor/internal/test"
)

type (
	name  struct{}
	level struct{}
)

func with(key, value any) Option {
	return WithValues(context.WithValue(context.Background(), key, value))
}

// in runs f as the first poll of a task.
func in(t *testing.T, r *rig, f func(cx *Context), o ...Option) {
	t.Helper()
	mustSpawn[int](t, r.Local, &probe{Ready: true, OnPoll: f}, o...)
}

func wantValue(t *testing.T, cx *Context, key, want any) {
	t.Helper()
	test.Equal(t, "value", cx.Context().Value(key), want)
}

func TestValuesAreInherited(t *testing.T) {
	r := newRig(t)
	in(t, r, func(cx *Context) {
		wantValue(t, cx, name{}, "parent")
		wantValue(t, cx, level{}, nil)
		ctx := context.WithValue(cx.Context(), level{}, 5)
		in(t, r, func(cx *Context) {
			wantValue(t, cx, name{}, "parent")
			wantValue(t, cx, level{}, 5)
			in(t, r, func(cx *Context) { wantValue(t, cx, level{}, 5) })
		}, WithValues(ctx))
		in(t, r, func(cx *Context) {
			wantValue(t, cx, name{}, "parent")
			wantValue(t, cx, level{}, nil)
		})
	}, with(name{}, "parent"))
	in(t, r, func(cx *Context) { wantValue(t, cx, name{}, nil) })
	r.turn(2)
	r.turn(2)
	r.turn(1)
}

func TestValuesOfDropAreTheTasks(t *testing.T) {
	r := newRig(t)
	var kept *Context
	var dropped any
	task := mustSpawn[int](t, r.Local, &probe{OnPoll: func(cx *Context) { kept = cx }, OnDrop: func() {
		dropped = kept.Context().Value(name{})
	}}, with(name{}, "mine"))
	r.turn(1)
	in(t, r, func(*Context) { r.Evict(task.Handle()) }, with(name{}, "not mine"))
	r.turn(1)
	test.Equal(t, "value in Drop", dropped, any("mine"))
	wantValue(t, kept, name{}, nil)
}

func TestValuesAreNotLeftInTheStorage(t *testing.T) {
	r := newRig(t)
	var task Task[int]
	p := &probe{Ready: true}
	task.Spawn(r.Local, p, with(level{}, 1))
	r.turn(1)
	p.OnPoll = func(cx *Context) { wantValue(t, cx, level{}, nil) }
	task.Spawn(r.Local, p)
	r.turn(1)
}

func TestValuesComeWithoutTheEndOfTheirContext(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	cancel()
	in(t, r, func(cx *Context) {
		_, has := cx.Context().Deadline()
		test.Equal(t, "has a deadline", has, false)
		test.Equal(t, "error", cx.Context().Err(), nil)
	}, WithValues(ctx))
	r.turn(1)
}

func TestOnDoneIsOfTheTasksType(t *testing.T) {
	r := newRig(t)
	defer func() {
		test.Equal(t, "panic", recover(), any("executor: Spawn of a Task with an OnDone of another type"))
		test.Equal(t, "live", r.Live(), 0)
	}()
	Spawn[int](r.Local, new(probe), OnDone[string](func(string, error, Outcome) {}))
}
