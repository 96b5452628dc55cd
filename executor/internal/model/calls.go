// SPDX-License-Identifier: Apache-2.0

package model

import "github.com/pillion-dev/pillion/executor"

// Bug is a mistake that a test can plant.
type Bug int

// The mistakes.
const (
	ShieldIgnored       Bug = iota + 1 // a cancel gets through a shield
	SnapshotGrows                      // a turn polls a task that becomes ready in it
	InboxReversed                      // the last wake from outside comes first
	EqualTimersReversed                // the timer that was armed last comes first
	TimerOutlives                      // the end of a task leaves its timer armed
	WakeLost                           // a wake during the poll does nothing
	WakesCount                         // each wake makes a poll of its own
	DeadlineLate                       // a deadline comes a nanosecond late
	CancelTwice                        // the second request counts
	JoinReplaces                       // another joiner takes the place of the first
	SiblingsStay                       // a child's error doesn't end the others
	LimitLoose                         // one child more than the limit runs
	Bugs                               // the number of mistakes, and one
)

func (m *Model) Spawn(script int, at int64) error {
	switch {
	case m.closing != 0:
		return executor.ErrClosed
	case m.program.MaxTasks > 0 && m.live >= m.program.MaxTasks:
		return executor.ErrAgain
	}
	t := &task{Task: Task{Number: len(m.tasks), Script: m.program.Scripts[script%len(m.program.Scripts)]}}
	m.tasks = append(m.tasks, t)
	m.live++
	m.makeReady(t)
	m.poke()
	m.setDeadline(t, at)
	return nil
}

func (m *Model) WakeSelf() {
	if m.Bug != WakeLost {
		m.makeReady(m.current)
	}
}

func (m *Model) Arm(d int64) {
	t := m.current
	m.disarm(t.sleep)
	at := int64(never)
	if d < never-m.now {
		at = m.now + d
	}
	t.sleep = &timer{at: at, fire: func() { m.makeReady(t) }}
}

func (m *Model) Timer() (due bool, err error) {
	t := m.current.sleep
	switch {
	case t.at <= m.now:
		m.disarm(t)
		return true, nil
	case t.armed || t.at == never:
	case m.program.MaxTimers > 0 && len(m.timers) >= m.program.MaxTimers:
		return true, executor.ErrAgain
	default:
		m.arm(t)
	}
	return false, nil
}

func (m *Model) Join(task int) (value int64, ready bool, err error) {
	t := m.tasks[task]
	switch {
	case t == m.current:
		return 0, true, executor.ErrJoinItself
	case t.done:
		return t.value, true, t.err
	}
	if j := t.joiner; j != nil && j != m.current && !j.done && m.Bug != JoinReplaces {
		return 0, true, executor.ErrBusy
	}
	t.joiner = m.current
	return 0, false, nil
}

func (m *Model) Shield(on bool) {
	t := m.current
	switch {
	case on:
		t.shields++
	case t.shields > 0:
		t.shields--
		if t.shields == 0 && t.cancelled {
			m.makeReady(t)
		}
	}
}

func (m *Model) WakeLocal(task int) int64 {
	t := m.tasks[task]
	switch {
	case t.done:
		return int64(executor.Stale)
	case m.Bug == WakesCount && t.ready:
		m.ready = append(m.ready, t)
		return int64(executor.Coalesced)
	case !m.makeReady(t):
		return int64(executor.Coalesced)
	}
	m.poke()
	return int64(executor.Accepted)
}

// post puts a task into the inbox.
func (m *Model) post(t *task) int64 {
	if t.queued {
		return int64(executor.Coalesced)
	}
	t.queued = true
	m.inbox = append(m.inbox, t)
	m.poke()
	return int64(executor.Accepted)
}

func (m *Model) Wake(task int) int64 {
	t := m.tasks[task]
	if t.done {
		return int64(executor.Stale)
	}
	t.wake = true
	return m.post(t)
}

func (m *Model) Cancel(task int) int64 {
	t := m.tasks[task]
	if t.done {
		return int64(executor.Stale)
	}
	already := t.cancel
	t.cancel = true
	m.post(t)
	if already {
		return int64(executor.Coalesced)
	}
	return int64(executor.Accepted)
}

func (m *Model) CancelLocal(task int) int64 {
	switch t := m.tasks[task]; {
	case t.done:
		return int64(executor.Stale)
	case t.cancelled && m.Bug != CancelTwice:
		return int64(executor.Coalesced)
	default:
		m.noteCancel(t, executor.ErrCancelled)
		m.poke()
		return int64(executor.Accepted)
	}
}

func (m *Model) Evict(task int) error {
	t := m.tasks[task]
	switch {
	case t.done:
		return executor.ErrClosed
	case t == m.current:
		return executor.ErrReentrant
	}
	turning := m.turning
	m.turning = true
	m.evict(t)
	if m.turning = turning; len(m.ready) > 0 {
		m.poke() // for the joiner
	}
	return nil
}

func (m *Model) SetDeadline(task int, at int64) error {
	t := m.tasks[task]
	if t.done {
		return executor.ErrClosed
	}
	m.setDeadline(t, at)
	return nil
}

func (m *Model) setDeadline(t *task, at int64) {
	m.disarm(t.deadline)
	t.deadline = nil
	switch {
	case at == never:
	case at <= m.now:
		if !t.cancelled {
			m.noteCancel(t, executor.ErrTimedOut)
			m.poke()
		}
	default:
		if m.Bug == DeadlineLate {
			at++
		}
		t.deadline = &timer{at: at, fire: func() { m.noteCancel(t, executor.ErrTimedOut) }}
		m.arm(t.deadline)
		if at < m.reported {
			m.poke() // the host knows only of a later deadline
		}
	}
}

// Close can't be undone.
func (m *Model) Close(cancel bool) {
	mode := 1
	if cancel {
		mode = 2
	}
	if m.closing < mode {
		m.closing = mode
		m.poke()
	}
}
