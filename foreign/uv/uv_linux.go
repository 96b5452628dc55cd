// SPDX-License-Identifier: Apache-2.0

// Package uv puts an executor on a loop of libuv 1.x, without cgo. Package foreign has
// what all such hosts share.
//
//	host, err := uv.Default()
//	...
//	defer host.Close()
//	l := executor.New(executor.Config{Host: host})
//	err = host.Attach(l)
//
// The deadline is met up to 1 ms late, never early. The loop is kept alive while a task
// is live, and no longer. libuv allows no loop inside a handler.
package uv

import (
	"sync"

	"github.com/ebitengine/purego"
	"golang.org/x/sys/unix"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/watch"
	"github.com/pillion-dev/pillion/foreign"
)

var allocate, release, defaultLoop, run, now, updateTime, handleSize, closeHandle, isClosing,
	ref, unref, pollInit, pollStart, pollStop, timerInit, timerStart, timerStop uintptr

var load = sync.OnceValue(func() error {
	if err := foreign.Load("libc.so.6", map[string]*uintptr{
		"calloc": &allocate,
		"free":   &release,
	}); err != nil {
		return err
	}
	return foreign.Load("libuv.so.1", map[string]*uintptr{
		"uv_default_loop": &defaultLoop,
		"uv_run":          &run,
		"uv_now":          &now,
		"uv_update_time":  &updateTime,
		"uv_handle_size":  &handleSize,
		"uv_close":        &closeHandle,
		"uv_is_closing":   &isClosing,
		"uv_ref":          &ref,
		"uv_unref":        &unref,
		"uv_poll_init":    &pollInit,
		"uv_poll_start":   &pollStart,
		"uv_poll_stop":    &pollStop,
		"uv_timer_init":   &timerInit,
		"uv_timer_start":  &timerStart,
		"uv_timer_stop":   &timerStop,
	})
})

// failed makes an error of what libuv answers.
func failed(r uintptr) error {
	switch code := -unix.Errno(int32(r)); code {
	case 0:
		return nil
	case unix.EPERM: // a regular file, say
		return watch.ErrUnwatchable
	case unix.EEXIST:
		return executor.ErrBusy
	default:
		return code
	}
}

// Default gives a host on libuv's default loop.
//
// # Errors
//
// [foreign.ErrNoLibrary], [foreign.ErrNoFunction], or the system's.
func Default() (*foreign.Host, error) {
	if err := load(); err != nil {
		return nil, err
	}
	return On(foreign.Call(defaultLoop))
}

// On gives a host on a loop, which is a *uv_loop_t that uv_loop_init has made. Before the
// program calls uv_loop_close, it closes the host, and runs the loop once more, which then
// lets go of its handles. The errors are those of [Default].
func On(at uintptr) (*foreign.Host, error) {
	if err := load(); err != nil {
		return nil, err
	}
	return foreign.New(loop(at))
}

type loop uintptr

// The types of handles.
const (
	poll  = 8
	timer = 13
)

// onEvent is the callback of both: for a timer it has the handle only.
var onEvent = sync.OnceValue(func() uintptr {
	return purego.NewCallback(func(handle, status, events uintptr) uintptr {
		w := foreign.Find(handle)
		switch {
		case w == nil:
		case w.FD >= 0 && int32(status) < 0:
			w.Came(watch.Fault, false)
		default:
			w.Came(watch.Events(events), false) // the bits are the same
		}
		return 0
	})
})

// Watch implements [foreign.Loop].
func (l loop) Watch(w *foreign.Watch, events watch.Events) error {
	if w.Handle == 0 {
		handle := foreign.Call(allocate, 1, foreign.Call(handleSize, poll))
		if err := failed(foreign.Call(pollInit, uintptr(l), handle, uintptr(w.FD))); err != nil {
			foreign.Call(release, handle)
			return err
		}
		foreign.Call(unref, handle) // tasks keep the loop alive
		w.Bind(handle)
	}
	switch {
	case isClosed(w):
		return executor.ErrClosed
	case events == 0:
		return failed(foreign.Call(pollStop, w.Handle))
	}
	return failed(foreign.Call(pollStart, w.Handle, uintptr(events), onEvent()))
}

// isClosed reports whether the program has closed the handle itself, by uv_walk.
func isClosed(w *foreign.Watch) bool { return int32(foreign.Call(isClosing, w.Handle)) != 0 }

// Unwatch implements [foreign.Loop]. The loop frees the handle when it has let go.
func (l loop) Unwatch(w *foreign.Watch) {
	if !isClosed(w) {
		foreign.Call(closeHandle, w.Handle, release)
	}
}

// Arm implements [foreign.Loop]. libuv counts milliseconds of the same clock. A timer of
// 0 ms that starts in a timer's callback would run before the loop goes on.
func (l loop) Arm(w *foreign.Watch, at int64) error {
	if w.Handle == 0 {
		handle := foreign.Call(allocate, 1, foreign.Call(handleSize, timer))
		foreign.Call(timerInit, uintptr(l), handle)
		foreign.Call(unref, handle)
		w.Bind(handle)
	}
	switch {
	case isClosed(w):
		return executor.ErrClosed
	case at == executor.Never:
		return failed(foreign.Call(timerStop, w.Handle))
	}
	foreign.Call(updateTime, uintptr(l))
	wait := (at-1)/1e6 + 1 - int64(foreign.Call(now, uintptr(l)))
	return failed(foreign.Call(timerStart, w.Handle, onEvent(), uintptr(max(1, wait)), 0))
}

// Keep implements [foreign.Keeper].
func (l loop) Keep(own *foreign.Watch, live bool) {
	switch {
	case isClosed(own):
	case live:
		foreign.Call(ref, own.Handle)
	default:
		foreign.Call(unref, own.Handle)
	}
}

// Step implements [foreign.Loop].
func (l loop) Step() error {
	foreign.Call(run, uintptr(l), 1) // UV_RUN_ONCE
	return nil
}

// Close implements [foreign.Loop].
func (l loop) Close() {}
