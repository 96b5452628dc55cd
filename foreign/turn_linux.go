// SPDX-License-Identifier: Apache-2.0

package foreign

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/watch"
)

// unknown is no deadline of an executor's: the next turn arms the timer.
const unknown = -1

// again is how long a turn is put off at a time.
const again = 10 * time.Millisecond

// Came is for the loop's callback: these events came at w, or its timer fired. It makes
// a turn. The loop says nested if it knows that it runs inside a handler; false will do
// if it forbids that.
func (w *Watch) Came(events watch.Events, nested bool) {
	var mark byte
	h, at := w.host, uintptr(unsafe.Pointer(&mark))
	t := h.thread
	switch {
	case h.forked():
		return
	case h.Err() != nil:
		h.stop(w, nil)
		return
	case at != h.seen && !t.here():
		h.stop(w, ErrWrongThread)
		return
	}
	outer := !t.turning && (at == h.seen && !nested || depth() == 1)
	defer h.contain()
	if w.Awaited() {
		h.report(w, events)
	}
	if !outer {
		h.putOff(w)
		return
	}
	h.seen = at
	t.turning = true
	defer t.turned()
	if w == &h.timer {
		h.due = unknown // it fires once, or goes on until it is armed anew
	}
	h.turn(w == &h.own)
}

// report wakes tasks. It resumes none, so it may come at any depth.
func (h *Host) report(w *Watch, events watch.Events) {
	if events&watch.Fault != 0 {
		_ = h.loop.Watch(w, 0) // the executor has been told that nothing is watched
	}
	h.local.Ready(w.key, events)
}

// turn makes a turn. The descriptor stays readable while the executor has work, which
// costs nothing. It is cleared when the executor is idle, and a wake may come until then;
// so the executor is polled once more. A loop may tell late that the descriptor was
// readable, when another turn has cleared it: only what the host has set is sure.
func (h *Host) turn(woken bool) {
	p, err := h.local.Poll(executor.Budget{})
	if (woken || h.raised) && err == nil && !p.More {
		h.clear()
		p, err = h.local.Poll(executor.Budget{})
	}
	if err != nil {
		h.stop(&h.own, err)
		return
	}
	if p.More && !h.raised {
		h.raised = true
		_ = h.woken.Set()
	}
	if p.Deadline != h.due {
		h.arm(p.Deadline)
	}
	h.keep(p.Live > 0 || p.More) // after a More a spawn needs no wake
}

func (h *Host) clear() {
	h.raised = false
	_ = h.woken.Clear()
}

func (h *Host) arm(deadline int64) {
	h.due = deadline
	if deadline == executor.Never {
		_ = h.loop.Arm(&h.timer, executor.Never)
		return
	}
	h.armIn(time.Duration(deadline - h.local.Now()))
}

// armIn is called after the executor's clock was read, so the timer isn't early.
func (h *Host) armIn(wait time.Duration) {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	at := now.Nano() + max(0, int64(wait))
	if at < 0 {
		at = executor.Never
	}
	_ = h.loop.Arm(&h.timer, at)
}

// putOff makes the timer try again. The descriptor must not stay readable, or the loop
// would spin; no wake follows until the executor is polled.
func (h *Host) putOff(w *Watch) {
	if w == &h.own {
		h.clear()
	}
	h.due = unknown
	h.armIn(again)
}

func (h *Host) keep(live bool) {
	if k, ok := h.loop.(Keeper); ok && h.loose.Load() == live {
		h.loose.Store(!live)
		k.Keep(&h.own, live)
	}
}

// stop ends the turns. Of another thread's host it touches only what this loop reports.
func (h *Host) stop(w *Watch, err error) {
	h.err.CompareAndSwap(nil, &err)
	if w == &h.timer {
		_ = h.loop.Arm(w, executor.Never)
	} else {
		_ = h.loop.Watch(w, 0)
	}
}

// contain keeps a panic of an OnDone from C's frames.
func (h *Host) contain() {
	if r := recover(); r != nil {
		h.stop(&h.own, executor.NewPanicError(r))
	}
}
