// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"sync"
	"sync/atomic"

	"github.com/pillion-dev/pillion/executor/internal/wheel"
)

// poolTimers has the timers of a pool's tasks. Any worker fires them, since any may
// have the task's turn or its drop by then.
type poolTimers struct {
	next  atomic.Int64 // the time of the first timer; written under the lock
	fired atomic.Int64 // the latest time whose timers have fired; likewise
	max   int

	mu    sync.Mutex
	wheel wheel.Wheel
}

func (w *worker) arm(t *Timer, waker Waker) (ready bool, err error) {
	t.pool = w.pool
	return w.pool.timers.await(t, w.local.now, waker)
}

// await is arm for a task. The lock guards the timer's place in the wheel and its
// waker; its time belongs to the task.
func (p *poolTimers) await(t *Timer, now int64, w Waker) (ready bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t.node.At <= now {
		p.disarm(t)
		return true, nil
	}
	t.node.Waker = uint64(w)
	if !t.node.Armed() && t.node.At != Never {
		if p.max > 0 && p.wheel.Count >= p.max {
			return true, ErrAgain
		}
		p.arm(t)
	}
	return false, nil
}

// arm doesn't know the time; none has been fired beyond the latest.
func (p *poolTimers) arm(t *Timer) {
	p.wheel.Arm(&t.node, p.fired.Load())
	if t.node.At < p.next.Load() {
		p.next.Store(t.node.At)
	}
}

func (p *poolTimers) drop(t *Timer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.disarm(t)
}

func (p *poolTimers) disarm(t *Timer) {
	if t.node.Armed() {
		p.wheel.Disarm(&t.node)
		if t.node.At == p.next.Load() {
			p.next.Store(p.wheel.Deadline())
		}
	}
}

// due takes out the timers that are due and appends their wakers. The caller wakes them
// once it has given up the lock.
func (p *poolTimers) due(now int64, wakers []Waker) []Waker {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now > p.fired.Load() {
		p.fired.Store(now)
	}
	for t := p.wheel.Due(now); t != nil; t = p.wheel.Due(now) {
		wakers = append(wakers, Waker(t.Waker))
	}
	p.next.Store(p.wheel.Deadline())
	return wakers
}

// catchUp moves the time of a turn forward to the latest time whose timers any worker
// has fired: a task that such a timer has woken must see that it is due. The caller
// calls it once it holds the task, which synchronises with the wake.
func (w *worker) catchUp() {
	if fired := w.pool.timers.fired.Load(); fired > w.local.now {
		w.local.now = fired
	}
}

// fire wakes the tasks whose timers are due.
func (w *worker) fire() {
	l := w.local
	if w.pool.timers.next.Load() > l.now {
		return
	}
	w.due = w.pool.timers.due(l.now, w.due[:0])
	for _, waker := range w.due {
		if l.wake(waker) == BadHandle {
			w.expire(Handle(waker))
		}
	}
}
