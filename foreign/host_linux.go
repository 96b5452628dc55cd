// SPDX-License-Identifier: Apache-2.0

// Package foreign puts executors on event loops of C's without cgo: package purego calls
// the loop, in a program built with CGO_ENABLED=0, too. Packages foreign/glib, foreign/uv,
// foreign/event and foreign/sdevent give a [Host] for their loops; [New] is for authors of
// another one.
//
//	host, err := glib.Default()
//	...
//	defer host.Close()
//	l := executor.New(executor.Config{Host: host})
//	err = host.Attach(l)
//	...
//	task, err := executor.Spawn(l, future)
//	err = host.Run() // or the program runs the loop
//
// # Threads
//
// [Host.Attach] locks the goroutine to its thread, and [Host.Close] unlocks it. The loop
// runs on that goroutine. The program must not call runtime.LockOSThread or
// runtime.UnlockOSThread between the two, except in pairs: coroutines can only go on
// under as many locks as they began under, or Go ends the process. For the same reason
// the program doesn't call [executor.Local.Poll].
//
// On a thread that C has made Go must be entered by a function that cgo exports, and
// Attach be called in there: only then does Go know the thread again in the next callback.
// The loop may run on it from C.
//
// In a forked child a host answers [ErrForked], and touches nothing of its parent's. That
// holds as far as Go runs there at all: it has lost its other threads.
//
// # Loops inside handlers
//
// Turns are callbacks of C's. A loop that the program runs inside a Go handler, a modal
// dialog for instance, can't make them: coroutines that began outside can't go on in
// there. So turns are put off until that loop has ended. Nothing is lost, and nothing
// spins. A loop that C code runs inside a handler of its own makes turns as usual.
package foreign

import (
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/watch"
	"github.com/pillion-dev/pillion/foreign/internal/descriptor"
)

// Host is a place on a loop for one executor. A loop may have several.
type Host struct {
	loop       Loop
	woken      descriptor.Wakeup
	own, timer Watch
	watched    map[int]*Watch // by descriptor
	local      *executor.Local
	thread     *thread
	mark       *byte   // 0 in a forked child
	seen       uintptr // where on the stack callbacks were found to be outermost
	raised     bool    // a turn has made the descriptor readable
	due        int64   // the executor's time that the timer stands for, or unknown
	err        atomic.Pointer[error]
	loose      atomic.Bool // a Keeper's loop may end
}

var (
	_ executor.Host = (*Host)(nil)
	_ watch.Host    = (*Host)(nil)
)

// New makes a host, which holds one descriptor until [Host.Close].
func New(loop Loop) (*Host, error) {
	h := &Host{loop: loop, watched: make(map[int]*Watch), mark: mark()}
	if err := h.woken.Open(); err != nil {
		return nil, err
	}
	h.own = Watch{FD: h.woken.FD(), host: h}
	h.timer = Watch{FD: -1, host: h}
	return h, nil
}

// Attach puts an executor on the loop, and locks the goroutine to its thread. l is one
// whose [executor.Config.Host] is h; it may have tasks already.
//
// # Errors
//
// [executor.ErrBusy] if the host has an executor, or if coroutines of l are suspended;
// [ErrWrongThread] if another thread runs the loop, or if C has made this one and Go was
// entered here by no function that cgo exports; [executor.ErrWrongLocal] if l has another
// host, [executor.ErrClosed] after Close, [ErrForked]. Else what the loop answers. After
// an error nothing has changed.
func (h *Host) Attach(l *executor.Local) error {
	switch {
	case h.forked():
		return ErrForked
	case h.woken.FD() < 0:
		return executor.ErrClosed
	case h.local != nil:
		return executor.ErrBusy
	case !staysHere():
		return ErrWrongThread
	}
	if err := l.Release(); err != nil { // coroutines begin anew, in callbacks
		return err
	}
	if err := l.Carrier().Through(h, h.outside); err != nil {
		return err
	}
	h.thread = enterThread()
	err := h.loop.Watch(&h.own, watch.Readable)
	if err == nil {
		h.due = executor.Never
		err = h.loop.Arm(&h.timer, executor.Never)
	}
	if err != nil {
		h.leave()
		return err
	}
	h.local = l
	if k, ok := h.loop.(Keeper); ok {
		k.Keep(&h.own, true)
	}
	return h.Wake() // the first turn finds out what lives
}

// leave undoes an Attach.
func (h *Host) leave() {
	h.own.release()
	h.timer.release()
	h.thread.leave()
	h.local, h.thread = nil, nil
	h.loose.Store(false)
}

// Wake implements [executor.Host]. Any goroutine may call it. It fails with
// [executor.ErrClosed] once the host is closed, and with [ErrForked].
func (h *Host) Wake() error {
	if h.forked() {
		return ErrForked
	}
	if h.loose.Load() && unix.Gettid() == h.thread.id {
		h.keep(true)
	}
	return h.woken.Set()
}

// Run runs the loop until none of the executor's tasks is live. Each round waits for an
// event. It must be called on the goroutine that attached the executor.
//
// # Errors
//
// [ErrWrongThread], [executor.ErrReentrant] in a turn or in a handler of a loop,
// [executor.ErrClosed] without an executor, and [ErrForked]. Else [Host.Err], and what
// the loop answers.
func (h *Host) Run() error {
	switch {
	case h.forked():
		return ErrForked
	case h.local == nil:
		return executor.ErrClosed
	}
	if err := h.thread.outermost(); err != nil {
		return err
	}
	for h.Err() == nil && h.local.Live() > 0 {
		if err := h.loop.Step(); err != nil {
			return err
		}
	}
	return h.Err()
}

// Err tells why the host makes no more turns: [ErrWrongThread], [executor.ErrClosed] if
// the executor was freed, an [executor.PanicError] of an OnDone. It is nil while the
// host does make turns. Any goroutine may call it.
func (h *Host) Err() error {
	if err := h.err.Load(); err != nil {
		return *err
	}
	return nil
}

// Close frees the executor, lets go of the loop, and unlocks the goroutine. The loop
// may be gone already. It must be called on the goroutine that attached the executor.
// A second Close does nothing.
//
// # Errors
//
// [ErrWrongThread], [executor.ErrReentrant] in a turn, or in a loop that a Go handler
// runs, and [ErrForked]. Then nothing has changed.
func (h *Host) Close() error {
	if h.forked() {
		return ErrForked
	}
	if h.local != nil {
		if !h.thread.here() {
			return ErrWrongThread
		}
		if err := h.local.Free(); err != nil {
			return err
		}
		h.leave()
	}
	if h.woken.FD() >= 0 {
		h.loop.Close()
	}
	return h.woken.Close()
}

// Watch implements [watch.Host].
func (h *Host) Watch(fd int, events watch.Events, key uint64) error {
	w := h.watched[fd]
	if w == nil {
		w = &Watch{FD: fd, host: h, key: key}
	}
	err := h.loop.Watch(w, events)
	if err == nil {
		h.watched[fd] = w
	} else if h.watched[fd] == nil {
		w.release()
	}
	return err
}

// Unwatch implements [watch.Host].
func (h *Host) Unwatch(fd int, _ uint64) {
	if w := h.watched[fd]; w != nil {
		delete(h.watched, fd)
		w.release()
	}
}
