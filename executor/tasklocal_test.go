// SPDX-License-Identifier: Apache-2.0

package executor

import "testing"

var (
	name  = NewTaskLocal[string]()
	level = NewTaskLocal[int]()
	other = NewTaskLocal[int]()
)

// in runs f as the first poll of a task.
func in(t *testing.T, r *rig, f func(cx *Context), o ...Option[int]) {
	t.Helper()
	mustSpawn[int](t, r.Local, &probe{ready: true, onPoll: f}, o...)
}

func wantLocal[T comparable](t *testing.T, cx *Context, k *TaskLocal[T], want T, set bool) {
	t.Helper()
	v, ok := k.Get(cx)
	equal(t, "is set", ok, set)
	equal(t, "value", v, want)
}

func TestTaskLocalsAreInherited(t *testing.T) {
	r := newRig(t)
	in(t, r, func(cx *Context) {
		wantLocal(t, cx, name, "", false)
		name.Set(cx, "parent")
		level.Set(cx, 1)
		in(t, r, func(cx *Context) {
			wantLocal(t, cx, name, "parent", true)
			wantLocal(t, cx, level, 5, true)
			wantLocal(t, cx, other, 0, false)
			name.Set(cx, "child")
			wantLocal(t, cx, name, "child", true)
			wantLocal(t, cx, level, 5, true)
		}, With[int](level, 5))
		name.Set(cx, "later")
		in(t, r, func(cx *Context) {
			wantLocal(t, cx, name, "later", true)
			wantLocal(t, cx, level, 1, true)
		})
	})
	in(t, r, func(cx *Context) { wantLocal(t, cx, name, "", false) })
	r.turn(2)
	r.turn(2)
}

func TestTaskLocalsOfDropAreTheTasks(t *testing.T) {
	r := newRig(t)
	var kept *Context
	dropped := ""
	task := mustSpawn[int](t, r.Local, &probe{onPoll: func(cx *Context) { kept = cx }, onDrop: func() {
		dropped, _ = name.Get(kept)
	}}, With[int](name, "mine"))
	r.turn(1)
	in(t, r, func(*Context) { r.Evict(task.Handle()) }, With[int](name, "not mine"))
	r.turn(1)
	equal(t, "value in Drop", dropped, "mine")
	name.Set(kept, "nobody's")
	wantLocal(t, kept, name, "", false)
}

// A list that kept what was overwritten would grow for ever here.
func TestTaskLocalsOfALineageDoNotGrow(t *testing.T) {
	r := newRig(t)
	length := 0
	var generation func(cx *Context)
	left := 50
	generation = func(cx *Context) {
		level.Set(cx, left)
		name.Set(cx, "x")
		length = 0
		for l := cx.local.current.extra.carried.locals; l != nil; l = l.tail() {
			length++
		}
		if left--; left > 0 {
			in(t, r, generation, With[int](other, left))
		}
	}
	in(t, r, generation, With[int](other, left))
	for left > 0 {
		r.turn(1)
	}
	equal(t, "length", length, 3)
}

func TestTaskLocalsAreNotLeftInTheStorage(t *testing.T) {
	r := newRig(t)
	var task Task[int]
	p := &probe{ready: true}
	task.Spawn(r.Local, p, With[int](level, 1))
	r.turn(1)
	p.onPoll = func(cx *Context) { wantLocal(t, cx, level, 0, false) }
	task.Spawn(r.Local, p)
	r.turn(1)
}
