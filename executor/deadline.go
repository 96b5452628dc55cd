// SPDX-License-Identifier: Apache-2.0

package executor

import "github.com/pillion-dev/pillion/executor/internal/cell"

// WithDeadline is an [Option]: [Task.SetDeadline] from the start.
func WithDeadline(at int64) Option {
	return option(func(t *task) { t.more().setDeadline(at) })
}

// SetDeadline cancels the task once its executor's clock shows at, with [ErrTimedOut]
// as its error. It replaces an earlier deadline; [Never] removes it. In everything else
// a deadline is a cancel: a shielded task ends with its shield, and a task that hasn't
// begun gets no poll. For the owner; in a pool, for the task itself.
//
// # Errors
//
// [ErrClosed] if the task has finished, or is being dropped.
func (t *Task[T]) SetDeadline(at int64) error {
	if !t.inUse() || t.flags&flagEnding != 0 { // its slot may belong to another task by then
		return ErrClosed
	}
	t.more().setDeadline(at)
	if t.pooled() {
		lookup(t.slot).pool.Load().armDeadline(&t.task)
	} else {
		t.local.armDeadline(&t.task)
	}
	return nil
}

func (x *extra) setDeadline(at int64) {
	if x.deadline == nil {
		x.deadline = new(Timer)
	}
	x.deadline.Drop()
	x.deadline.node.At, x.carried.deadline = at, at
	if at == Never {
		x.carried.deadline = 0
	}
}

// clearDeadline disarms the deadline of a task that ends.
func (t *task) clearDeadline() {
	if x := t.extra; x != nil && x.deadline != nil {
		x.deadline.Drop()
	}
}

// armDeadline arms the timer of a task's deadline, if it has one. The timer has the
// task's handle in the place of a waker.
func (l *Local) armDeadline(t *task) {
	if t.extra == nil || t.extra.deadline == nil {
		return
	}
	d := t.extra.deadline
	switch {
	case d.node.At == Never:
	case d.node.At <= l.now:
		l.cancelWith(t, ErrTimedOut)
	default:
		d.node.Waker, d.local = uint64(makeHandle(t.slot, t.gen)), l
		l.timers.Arm(&d.node, l.now)
		if d.node.At < l.told {
			l.wakeHost() // which knows only of a later deadline
		}
	}
}

// expire cancels the task whose deadline has come.
func (l *Local) expire(h Handle) {
	if slot := uint32(h>>32) & cell.SlotMask; h>>56 == kindTask {
		l.cancelWith(lookup(slot).tasks[slot&cell.Mask], ErrTimedOut)
	}
}

// armDeadline is the same for a pool, which may not know the time. A task that is late
// already ends in the turn of the worker that fires.
func (p *Pool) armDeadline(t *task) {
	if t.extra == nil || t.extra.deadline == nil || t.extra.deadline.node.At == Never {
		return
	}
	d := t.extra.deadline
	d.node.Waker, d.pool = uint64(makeHandle(t.slot, t.gen)), p
	p.timers.mu.Lock()
	defer p.timers.mu.Unlock()
	p.timers.arm(d)
}

// expire cancels a pool's task, whichever worker has it, inside a turn.
func (w *worker) expire(h Handle) {
	if h>>56 == kindTask {
		w.postHere(uint64(h), cell.Cancel|cell.Expired)
	}
}
