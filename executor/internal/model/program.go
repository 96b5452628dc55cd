// SPDX-License-Identifier: Apache-2.0

// Package model says in the plainest words how an executor behaves: a list of ready
// tasks, a list of timers, a list of wakes from outside. Its test runs the same random
// programs on the model and on executor.Local, and compares all events.
package model

import (
	"errors"
	"strings"

	"github.com/pillion-dev/pillion/executor"
)

// Kind says what an Op does.
type Kind uint8

// The deeds of a task in its polls, and those of the outside.
const (
	Yield Kind = iota
	Park       // wait for a wake
	Sleep
	Join
	ShieldOn
	ShieldOff
	Return
	Fail
	Panic
	ScopeSpawn // a child of the task's scope, which the first child makes
	ScopeAwait
	ScopeCancel

	Spawn // from here on also from outside
	WakeLocal
	Wake
	CancelLocal
	Cancel
	Evict
	SetDeadline

	Turn // from here on from outside only
	Pass // let time pass
	Jump // to the deadline that the last turn has reported
	Close
)

// Op is one deed. The kind gives A and B their meaning; any numbers will do.
type Op struct {
	Kind Kind
	A, B uint8
}

// Program has scripts for tasks, and the deeds of the outside. The first script is
// that of the first task.
type Program struct {
	MaxTasks, MaxTimers int
	Scripts             [][]Op
	Steps               []Op
}

// Event is a step of a run, or an answer.
type Event struct {
	What string
	Task int
	N    int64
	Err  string
}

// Message tells errors apart.
func Message(err error) string {
	var p *executor.PanicError
	switch many, ok := err.(interface{ Unwrap() []error }); {
	case ok: // a scope's
		var all []string
		for _, one := range many.Unwrap() {
			all = append(all, Message(one))
		}
		return strings.Join(all, ", ")
	case err == nil:
		return ""
	case errors.As(err, &p):
		return ErrPanic.Error()
	}
	return err.Error()
}

// maxSpawned bounds how many tasks a program makes.
const maxSpawned = 60

// Machine runs tasks: the model, or the executor that is compared with it.
type Machine interface {
	Spawned() int // the number of tasks so far; they are numbered from 0
	Now() int64   // of the present or the last turn
	Log(e Event)

	// For the task in its poll.
	WakeSelf()
	Arm(d int64) // make a timer, and forget an earlier one
	Timer() (due bool, err error)
	Join(task int) (value int64, ready bool, err error)
	Shield(on bool)
	ScopeSpawn(script, limit int) error
	Scope() (ready bool, err error) // await the scope; without one, it is ready
	ScopeCancel()

	Spawn(script int, deadline int64) error
	WakeLocal(task int) int64
	Wake(task int) int64
	CancelLocal(task int) int64
	Cancel(task int) int64
	Evict(task int) error
	SetDeadline(task int, at int64) error

	// For the outside.
	Turn(polls int)
	Pass(d int64)
	Jump()
	Close(cancel bool)
	Free()
}

// ErrFailed is the error of a script that fails, and ErrPanic that of one that
// panics.
var (
	ErrFailed = errors.New("model: failed")
	ErrPanic  = errors.New("model: panicked")
)

// Task is a running script.
type Task struct {
	Number    int
	Script    []Op
	at        int
	begun     bool // it waits in its present op
	unwinding bool
}

// Unwind ends the scope and waits for it, over several polls if need be.
func (t *Task) Unwind(m Machine) (done bool, err error) {
	m.Log(Event{What: "unwind", Task: t.Number})
	t.unwinding = true
	m.ScopeCancel()
	return m.Scope()
}

// Poll goes on with the script until a deed waits or ends the task. It panics where
// the script does.
func (t *Task) Poll(m Machine) (value int64, ready bool, err error) {
	m.Log(Event{What: "poll", Task: t.Number, N: m.Now()})
	if t.unwinding {
		ready, err = m.Scope()
		return 0, ready, err
	}
	for ; t.at < len(t.Script); t.at++ {
		op := t.Script[t.at]
		first := !t.begun
		t.begun = true
		switch op.Kind {
		case Yield:
			if first {
				m.WakeSelf()
				return 0, false, nil
			}
		case Park:
			if first {
				return 0, false, nil
			}
		case Sleep:
			if first {
				m.Arm(span(op))
			}
			due, err := m.Timer()
			if !due {
				return 0, false, nil
			}
			m.Log(Event{What: "slept", Task: t.Number, N: m.Now(), Err: Message(err)})
		case Join:
			value, ready, err := m.Join(other(m, op))
			if !ready {
				return 0, false, nil
			}
			m.Log(Event{What: "joined", Task: t.Number, N: value, Err: Message(err)})
		case ShieldOn, ShieldOff:
			m.Shield(op.Kind == ShieldOn)
		case ScopeSpawn:
			if m.Spawned() < maxSpawned {
				err := m.ScopeSpawn(int(op.A), int(op.B%4))
				m.Log(Event{What: "child", Task: t.Number, Err: Message(err)})
			}
		case ScopeAwait:
			ready, err := m.Scope()
			if !ready {
				return 0, false, nil
			}
			m.Log(Event{What: "scope", Task: t.Number, Err: Message(err)})
		case ScopeCancel:
			m.ScopeCancel()
		case Return:
			return int64(op.A), true, nil
		case Fail:
			return int64(op.A), true, ErrFailed
		case Panic:
			panic(ErrFailed)
		default:
			Do(m, op)
		}
		t.begun = false
	}
	return int64(t.Number), true, nil
}

// Do does a deed that both the tasks and the outside can do.
func Do(m Machine, op Op) {
	e := Event{What: "did", Task: -1}
	switch op.Kind {
	case Spawn:
		if m.Spawned() >= maxSpawned {
			return
		}
		e.Err = Message(m.Spawn(int(op.A), deadline(m, op)))
	case WakeLocal:
		e.N = m.WakeLocal(other(m, op))
	case Wake:
		e.N = m.Wake(other(m, op))
	case CancelLocal:
		e.N = m.CancelLocal(other(m, op))
	case Cancel:
		e.N = m.Cancel(other(m, op))
	case Evict:
		e.Err = Message(m.Evict(other(m, op)))
	case SetDeadline:
		e.Err = Message(m.SetDeadline(other(m, op), deadline(m, op)))
	case Turn:
		m.Turn(max(0, int(op.A%8)-3))
	case Pass:
		m.Pass(span(op))
	case Jump:
		m.Jump()
	case Close:
		m.Close(op.A%2 == 0)
	}
	m.Log(e)
}

// never is executor.Never.
const never = 1<<63 - 1

// span is mostly short, so that times are often equal, and sometimes very long.
func span(op Op) int64 {
	if op.B%8 == 0 {
		return int64(op.A) << (op.B / 8)
	}
	return int64(op.A % 8)
}

func deadline(m Machine, op Op) int64 {
	if op.B%4 != 0 {
		return never
	}
	return m.Now() + int64(op.B/4%16) - 1
}

func other(m Machine, op Op) int { return int(op.A) % max(1, m.Spawned()) }

// Run runs a program and then frees the machine.
func Run(m Machine, p Program, each func() error) error {
	Do(m, Op{Kind: Spawn, B: 1})
	for _, op := range p.Steps {
		if m.Spawned() == 0 && op.Kind < Turn && op.Kind != Spawn {
			continue
		}
		Do(m, op)
		if err := each(); err != nil {
			return err
		}
	}
	m.Free()
	return each()
}
