// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"strconv"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/future"
)

// code is the error of a task that fails.
type code int64

func (c code) Error() string { return strconv.FormatInt(int64(c), 10) }

// actor is a task that follows a script.
type actor struct {
	stage  *stage
	name   string
	told   bool     // it tells its end
	script []string // for polls
	last   []string // for the drop
	left   []string

	task    executor.Task[int64]
	handle  executor.Handle
	waker   executor.Waker
	timer   *executor.Timer
	waiting bool
	beat    *future.Interval
	scope   *executor.Scope // of its children

	spawns, drops int
}

func (a *actor) spawn(l *executor.Local) error {
	var told []executor.Option
	if a.told {
		told = append(told, executor.OnDone[int64](func(v int64, err error, o executor.Outcome) {
			a.stage.ends = append(a.stage.ends, a.name+"="+result(v, err, o))
		}))
	}
	a.left, a.waiting = a.script, false
	if err := a.task.Spawn(l, a, told...); err != nil {
		return err
	}
	a.spawns++
	a.handle = a.task.Handle()
	// A waker is its task's handle with another kind, which is public.
	a.waker = executor.Waker(a.handle ^ 1<<56)
	return nil
}

func result(v int64, err error, o executor.Outcome) string {
	switch {
	case errors.Is(err, executor.ErrTimedOut) && o == executor.CancelledBeforeStart:
		return "late-unstarted"
	case errors.Is(err, executor.ErrTimedOut):
		return "late"
	case errors.Is(err, executor.ErrCancelled) && o == executor.CancelledBeforeStart:
		return "unstarted"
	case errors.Is(err, executor.ErrCancelled):
		return "cancelled"
	case err != nil:
		return err.Error()
	}
	return strconv.FormatInt(v, 10)
}

// Poll implements [executor.Future].
func (a *actor) Poll(cx *executor.Context) (int64, bool, error) {
	a.stage.saw(a.name)
	a.waker = cx.Waker()
	for len(a.left) > 0 {
		over := true
		switch a.left[0] {
		case "again":
			a.left = a.script
		case "pend":
			a.left = a.left[1:]
			return 0, false, nil
		case "yield":
			a.left = a.left[1:]
			cx.WakeSelf()
			return 0, false, nil
		case "ready":
			return a.number(), true, nil
		case "fail":
			return 0, true, code(a.number())
		case "sleep", "until":
			over = a.sleep(cx)
		case "join":
			over = a.join(cx)
		case "interval":
			a.beat = future.NewInterval(duration(a.number()), missed[a.left[2]])
			a.left = a.left[3:]
		case "tick":
			over = a.tick(cx)
		case "shield", "unshield":
			cx.Shield(a.left[0] == "shield")
			a.left = a.left[1:]
		case "asked":
			a.stage.saw(map[bool]string{true: "!asked", false: "!unasked"}[cx.Err() != nil])
			a.left = a.left[1:]
		case "scope":
			a.scope = executor.NewScope(cx.Local(), executor.ScopeConfig{Limit: int(a.number())})
			a.left = a.left[2:]
		case "child":
			a.child(a.stage.actor(a.left[1]))
		case "gather":
			over = a.gather(cx)
		case "arm":
			a.disarm()
			a.timer = future.SleepUntil(a.number())
			a.timer.Poll(cx)
			a.left = a.left[2:]
		case "disarm":
			a.disarm()
			a.left = a.left[1:]
		default:
			a.left = a.perform(a.left, cx)
		}
		if !over {
			break
		}
	}
	return 0, false, nil
}

func (a *actor) number() int64 { return a.stage.Number(a.left[1]) }

func (a *actor) disarm() {
	if a.timer != nil {
		a.timer.Drop()
	}
}

var missed = map[string]future.Missed{
	"burst": future.MissedBurst, "delay": future.MissedDelay, "skip": future.MissedSkip}

func (a *actor) tick(cx *executor.Context) bool {
	n, over, _ := a.beat.Poll(cx)
	if over {
		a.stage.saw("+" + strconv.Itoa(n))
		a.left = a.left[1:]
	}
	return over
}

func (a *actor) sleep(cx *executor.Context) bool {
	if !a.waiting {
		if a.left[0] == "until" {
			a.timer = future.SleepUntil(a.number())
		} else {
			a.timer = future.Sleep(duration(a.number()))
		}
	}
	_, over, _ := a.timer.Poll(cx)
	a.waiting = !over
	if over {
		a.left = a.left[2:]
	}
	return over
}

func (a *actor) child(other *actor) {
	other.left = other.script
	if err := other.task.Spawn(a.scope, other); err != nil {
		a.stage.saw("!" + failure(err))
	} else {
		other.spawns++
		other.handle = other.task.Handle()
		other.waker = executor.Waker(other.handle ^ 1<<56)
	}
	a.left = a.left[2:]
}

func (a *actor) gather(cx *executor.Context) bool {
	_, over, err := a.scope.Poll(cx)
	if !over {
		return false
	}
	a.left = a.left[1:]
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		err = many.Unwrap()[0]
	}
	if err == nil {
		a.stage.saw("<ok")
	} else {
		a.stage.saw("<" + result(0, err, executor.CancelledRunning))
	}
	return true
}

func (a *actor) join(cx *executor.Context) bool {
	v, over, err := a.stage.actor(a.left[1]).task.Poll(cx)
	if !over {
		return false
	}
	a.left = a.left[2:]
	switch {
	case errors.Is(err, executor.ErrJoinItself):
		a.stage.saw("!invalid")
	case errors.Is(err, executor.ErrBusy):
		a.stage.saw("!busy")
	default:
		a.stage.saw("<" + result(v, err, executor.CancelledRunning))
	}
	return true
}

// perform does the deeds that end no poll, and gives their unusual results.
func (a *actor) perform(words []string, cx *executor.Context) []string {
	got, left := a.stage.perform(words)
	if got != "ok" && got != "woken" && got != "asked" {
		a.stage.saw("!" + got)
	}
	return left
}

// Drop implements [executor.Dropper].
func (a *actor) Drop() {
	a.stage.saw("~" + a.name)
	a.drops++
	a.disarm()
	if a.beat != nil {
		a.beat.Drop()
	}
	if a.scope != nil {
		a.scope.Drop()
	}
	for left := a.last; len(left) > 0; {
		left = a.perform(left, nil)
	}
}
