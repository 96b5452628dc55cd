// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"time"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/internal/model"
)

// real is an executor.Local as a model.Machine, and its host.
type real struct {
	program  model.Program
	local    *executor.Local
	log      []model.Event
	clock    int64
	now      int64
	reported int64
	told     []int64 // by each turn
	tasks    []*executor.Task[int64]
	cx       *executor.Context // of the present poll
	current  *future
}

func newReal(p model.Program) *real {
	r := &real{program: p, clock: 1, reported: executor.Never}
	r.local = executor.New(executor.Config{
		Host: host{r}, Clock: func() int64 { return r.clock }, MaxTasks: p.MaxTasks, MaxTimers: p.MaxTimers,
	})
	return r
}

// future is a script, and the timer that it has.
type future struct {
	model.Task
	real  *real
	timer *executor.Timer
	scope *executor.Scope
}

func (f *future) Poll(cx *executor.Context) (int64, bool, error) {
	f.real.current, f.real.cx, f.real.now = f, cx, cx.Now()
	return f.Task.Poll(f.real)
}

func (f *future) Unwind(cx *executor.Context) (bool, error) {
	f.real.current, f.real.cx, f.real.now = f, cx, cx.Now()
	return f.Task.Unwind(f.real)
}

func (f *future) Drop() {
	if f.scope != nil {
		f.scope.Drop()
	}
	if f.timer != nil {
		f.timer.Drop()
	}
	f.real.Log(model.Event{What: "drop", Task: f.Number})
}

func (r *real) Spawned() int               { return len(r.tasks) }
func (r *real) Now() int64                 { return r.now }
func (r *real) Log(e model.Event)          { r.log = append(r.log, e) }
func (r *real) slot(t int) uint32          { return uint32(r.tasks[t].Handle()>>32) & (1<<24 - 1) }
func (r *real) waker(t int) executor.Waker { return executor.Waker(r.tasks[t].Handle()) | 1<<56 }

func (r *real) WakeSelf() { r.cx.WakeSelf() }

func (r *real) Arm(d int64) {
	f := r.current
	if f.timer == nil {
		f.timer = new(executor.Timer)
	}
	f.timer.Reset(time.Duration(d))
}

func (r *real) Timer() (due bool, err error) {
	_, due, err = r.current.timer.Poll(r.cx)
	return due, err
}

func (r *real) Join(task int) (value int64, ready bool, err error) {
	return r.tasks[task].Poll(r.cx)
}

func (r *real) Shield(on bool) { r.cx.Shield(on) }

func (r *real) ScopeSpawn(script, limit int) error {
	f := r.current
	if f.scope == nil {
		f.scope = executor.NewScope(r.local, executor.ScopeConfig{Limit: limit})
	}
	return r.spawn(script, executor.Never, func(child *future, options ...executor.Option) (*executor.Task[int64], error) {
		return executor.Spawn[int64](f.scope, child, options...)
	})
}

func (r *real) Scope() (ready bool, err error) {
	if r.current.scope == nil {
		return true, nil
	}
	_, ready, err = r.current.scope.Poll(r.cx)
	return ready, err
}

func (r *real) ScopeCancel() {
	if r.current.scope != nil {
		r.current.scope.Cancel(nil)
	}
}

func (r *real) Spawn(script int, at int64) error {
	return r.spawn(script, at, func(f *future, options ...executor.Option) (*executor.Task[int64], error) {
		return executor.Spawn[int64](r.local, f, options...)
	})
}

func (r *real) spawn(script int, at int64, spawn func(f *future, options ...executor.Option) (*executor.Task[int64], error)) error {
	f := &future{real: r}
	f.Number, f.Script = len(r.tasks), r.program.Scripts[script%len(r.program.Scripts)]
	options := []executor.Option{
		executor.OnDone[int64](func(value int64, err error, o executor.Outcome) {
			r.Log(model.Event{What: "end", Task: f.Number, N: int64(o)*1000 + value, Err: model.Message(err)})
		}),
	}
	if at != executor.Never {
		options = append(options, executor.WithDeadline(at))
	}
	t, err := spawn(f, options...)
	if err == nil {
		r.tasks = append(r.tasks, t)
	}
	return err
}

func (r *real) WakeLocal(task int) int64   { return int64(r.local.WakeLocal(r.waker(task))) }
func (r *real) Wake(task int) int64        { return int64(r.waker(task).Wake()) }
func (r *real) CancelLocal(task int) int64 { return int64(r.local.CancelLocal(r.tasks[task].Handle())) }
func (r *real) Cancel(task int) int64      { return int64(r.tasks[task].Cancel()) }
func (r *real) Evict(task int) error       { return r.local.Evict(r.tasks[task].Handle()) }

func (r *real) SetDeadline(task int, at int64) error { return r.tasks[task].SetDeadline(at) }

func (r *real) Turn(polls int) {
	r.now = r.clock
	p, err := r.local.Poll(executor.Budget{MaxPolls: polls})
	more := int64(0)
	if p.More {
		more = 1
	}
	r.reported = p.Deadline
	r.told = append(r.told, p.Deadline)
	r.Log(model.Event{What: "polled", Task: p.Polled, N: more, Err: model.Message(err)})
	r.Log(model.Event{What: "deadline", Task: p.Live, N: p.Deadline})
}

func (r *real) Pass(d int64) { r.clock = min(r.clock+d, 1<<60) }

func (r *real) Jump() {
	if r.reported != executor.Never {
		r.clock = max(r.clock, min(r.reported, 1<<60))
	}
}

func (r *real) Close(cancel bool) {
	if cancel {
		r.local.Close(executor.CloseCancel)
	} else {
		r.local.Close(executor.CloseDrain)
	}
}

func (r *real) Free() { r.local.Free() }

// host is where real has its own Wake.
type host struct{ *real }

// Wake implements executor.Host.
func (h host) Wake() error {
	h.Log(model.Event{What: "poke", Task: -1})
	return nil
}
