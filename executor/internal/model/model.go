// SPDX-License-Identifier: Apache-2.0

package model

import (
	"cmp"
	"errors"
	"slices"

	"github.com/pillion-dev/pillion/executor"
)

// Model is an executor for one thread.
type Model struct {
	// Bug plants a mistake, so that a test can see that it is found. 0 is none.
	Bug Bug

	program  Program
	slotOf   func(task int) uint32 // the executor's slot of a task
	early    func() int64          // the deadline that it tells after this turn
	dropped  bool                  // some timer was
	log      []Event
	clock    int64
	now      int64
	reported int64
	tasks    []*task
	live     int
	ready    []*task // a task that ended in the list has left a nil
	inbox    []*task
	timers   []*timer
	seq      int
	current  *task
	turning  bool
	awake    bool // the host was poked, or told of more
	closing  int  // 1 drains, 2 cancels
	closed   int
}

type task struct {
	Task
	done, started, ready bool
	cancelled            bool
	cause                error
	shields              int
	queued               bool // in the inbox, with what follows
	wake, cancel         bool
	sleep, deadline      *timer
	joiner               *task
	value                int64
	err                  error
	outcome              executor.Outcome
	scope                *scope // its own
	parent               *scope // whose child it is
	held, asked          bool   // the limit holds it back; the scope has asked it to end
}

type timer struct {
	at    int64
	seq   int
	armed bool
	fire  func()
}

// New makes a model of a Local. Two things come from the executor: Free drops tasks in
// the order of their slots, by slotOf; and a turn may report a deadline that is too
// early, by early, once a timer was dropped.
func New(p Program, slotOf func(task int) uint32, early func() int64) *Model {
	return &Model{program: p, slotOf: slotOf, early: early, clock: 1, reported: never}
}

func (m *Model) Events() []Event { return m.log }
func (m *Model) Forget()         { m.log = m.log[:0] }
func (m *Model) Log(e Event)     { m.log = append(m.log, e) }
func (m *Model) Spawned() int    { return len(m.tasks) }
func (m *Model) Now() int64      { return m.now }
func (m *Model) Pass(d int64)    { m.clock = min(m.clock+d, 1<<60) }

// Jump goes to the deadline.
func (m *Model) Jump() {
	if m.reported != never {
		m.clock = max(m.clock, min(m.reported, 1<<60))
	}
}

// poke is for work that comes while the executor is idle.
func (m *Model) poke() {
	if !m.turning && !m.awake {
		m.awake = true
		m.Log(Event{What: "poke", Task: -1})
	}
}

func (m *Model) makeReady(t *task) bool {
	if t.done || t.ready {
		return false
	}
	t.ready = true
	m.ready = append(m.ready, t)
	return true
}

// noteCancel asks a task to end.
func (m *Model) noteCancel(t *task, cause error) {
	if t.done || t.cancelled {
		return
	}
	t.cancelled, t.cause = true, cause
	m.makeReady(t)
}

// Turn takes the inbox, fires the timers that are due, and polls the ready tasks.
func (m *Model) Turn(polls int) {
	m.turning, m.awake = true, true
	m.now = m.clock
	if m.closing != m.closed {
		m.closed = m.closing
		if m.closing == 2 {
			for _, t := range m.bySlot() {
				m.noteCancel(t, executor.ErrCancelled)
			}
		}
	}
	inbox := m.inbox
	m.inbox = nil
	if m.Bug == InboxReversed {
		slices.Reverse(inbox)
	}
	for _, t := range inbox {
		t.queued = false
		if t.cancel {
			m.noteCancel(t, executor.ErrCancelled)
		}
		if t.wake {
			m.makeReady(t)
		}
		t.wake, t.cancel = false, false
	}
	m.fire()

	polled, used := 0, 0
	for left := len(m.ready); left > 0; left-- {
		t := m.ready[0]
		m.ready = m.ready[1:]
		if t == nil {
			continue
		}
		t.ready = false
		switch ends := t.cancelled && !t.unwinding && (t.shields == 0 || m.Bug == ShieldIgnored); {
		case ends && !t.started:
			m.end(t, 0, t.cause, executor.CancelledBeforeStart)
		case ends:
			m.unwind(t)
		default:
			m.poll(t)
			polled++
		}
		if used++; used == polls {
			break
		}
		if m.Bug == SnapshotGrows {
			left = len(m.ready) + 1
			if used > 1000 {
				break
			}
		}
	}
	m.turning = false
	m.awake = len(m.ready) > 0 || len(m.inbox) > 0
	m.reported = m.deadline()
	if told := m.early(); m.dropped && told > m.now {
		m.reported = min(m.reported, told)
	}
	more := int64(0)
	if m.awake {
		more = 1
	}
	m.Log(Event{What: "polled", Task: polled, N: more})
	m.Log(Event{What: "deadline", Task: m.live, N: m.reported})
}

func (m *Model) fire() {
	order := 1
	if m.Bug == EqualTimersReversed {
		order = -1
	}
	slices.SortFunc(m.timers, func(a, b *timer) int {
		return cmp.Or(cmp.Compare(a.at, b.at), order*cmp.Compare(a.seq, b.seq))
	})
	for len(m.timers) > 0 && m.timers[0].at <= m.now {
		t := m.timers[0]
		m.timers = m.timers[1:]
		t.armed = false
		t.fire()
	}
}

func (m *Model) deadline() int64 {
	first := int64(never)
	for _, t := range m.timers {
		first = min(first, t.at)
	}
	return first
}

func (m *Model) arm(t *timer) {
	m.seq++
	t.seq, t.armed = m.seq, true
	m.timers = append(m.timers, t)
}

func (m *Model) disarm(t *timer) {
	if t != nil && t.armed {
		t.armed, m.dropped = false, true
		m.timers = slices.DeleteFunc(m.timers, func(u *timer) bool { return u == t })
	}
}

func (m *Model) poll(t *task) {
	t.started = true
	m.current = t
	value, ready, err := m.script(t)
	m.current = nil
	switch {
	case ready && t.unwinding:
		m.unwound(t, err)
	case ready:
		m.end(t, value, err, executor.Returned)
	}
}

// script turns a panic into an error.
func (m *Model) script(t *task) (value int64, ready bool, err error) {
	defer func() {
		if r := recover(); r != nil {
			value, ready, err = 0, true, ErrPanic
		}
	}()
	return t.Poll(m)
}

func (m *Model) unwind(t *task) {
	m.current = t
	done, err := t.Unwind(m)
	m.current = nil
	if done {
		m.unwound(t, err)
	}
}

// unwound ends a task with the error of its Unwind, or else with the cause of its end.
func (m *Model) unwound(t *task, err error) {
	if err == nil || errors.Is(err, t.cause) || errors.Is(t.cause, err) {
		err = t.cause
	}
	m.end(t, 0, err, executor.CancelledRunning)
}

// evict ends a task outside of its poll.
func (m *Model) evict(t *task) {
	if t.cause == nil {
		t.cause = executor.ErrCancelled
	}
	outcome := executor.CancelledBeforeStart
	if t.started {
		outcome = executor.CancelledRunning
	}
	m.end(t, 0, t.cause, outcome)
}

// end drops a task, tells its scope, wakes its joiner, and reports the end, in this
// order.
func (m *Model) end(t *task, value int64, err error, o executor.Outcome) {
	if i := slices.Index(m.ready, t); i >= 0 {
		m.ready[i] = nil
	}
	t.done, t.ready = true, false
	t.value, t.err, t.outcome = value, err, o
	m.live--
	m.disarm(t.deadline)
	m.scopeDrop(t.scope)
	if m.Bug != TimerOutlives {
		m.disarm(t.sleep)
	}
	m.Log(Event{What: "drop", Task: t.Number})
	if t.parent != nil {
		m.childEnded(t)
	}
	if t.joiner != nil {
		m.makeReady(t.joiner)
	}
	m.Log(Event{What: "end", Task: t.Number, N: int64(o)*1000 + value, Err: Message(err)})
}

// Free drops the live tasks.
func (m *Model) Free() {
	m.turning = true
	for _, t := range m.bySlot() {
		if !t.done {
			m.evict(t)
		}
	}
}

// bySlot gives the live tasks in the order of their slots.
func (m *Model) bySlot() []*task {
	live := slices.DeleteFunc(slices.Clone(m.tasks), func(t *task) bool { return t.done })
	slices.SortFunc(live, func(a, b *task) int { return cmp.Compare(m.slotOf(a.Number), m.slotOf(b.Number)) })
	return live
}
