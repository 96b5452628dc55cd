// SPDX-License-Identifier: Apache-2.0

// Package event puts an executor on an event_base of libevent 2.1, without cgo. Package
// foreign has what all such hosts share.
//
//	host, err := event.New()
//	...
//	defer host.Close()
//	l := executor.New(executor.Config{Host: host})
//	err = host.Attach(l)
//
// The deadline is met late by libevent's resolution, never early. libevent can't end a
// loop when no task is live any more; [foreign.Host.Run] does. It allows no loop inside a
// handler, and knows no priority events: who awaits them gets
// [watch.ErrUnwatchable].
package event

import (
	"errors"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
	"golang.org/x/sys/unix"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/watch"
	"github.com/pillion-dev/pillion/foreign"
)

// ErrRefused says that libevent has refused a call. It doesn't tell why.
var ErrRefused = errors.New("event: libevent has refused it")

var allocate, release, baseNew, baseFree, baseLoop, baseFeatures, baseUpdateTime,
	eventSize, eventAssign, eventAdd, eventDel uintptr

var load = sync.OnceValue(func() error {
	if err := foreign.Load("libc.so.6", map[string]*uintptr{
		"calloc": &allocate,
		"free":   &release,
	}); err != nil {
		return err
	}
	return foreign.Load("libevent_core-2.1.so.7", map[string]*uintptr{
		"event_base_new":               &baseNew,
		"event_base_free":              &baseFree,
		"event_base_loop":              &baseLoop,
		"event_base_get_features":      &baseFeatures,
		"event_base_update_cache_time": &baseUpdateTime,
		"event_get_struct_event_size":  &eventSize,
		"event_assign":                 &eventAssign,
		"event_add":                    &eventAdd,
		"event_del":                    &eventDel,
	})
})

func failed(r uintptr) error {
	if int32(r) < 0 {
		return ErrRefused
	}
	return nil
}

// New gives a host on a base of its own, which [foreign.Host.Close] frees.
//
// # Errors
//
// [foreign.ErrNoLibrary], [foreign.ErrNoFunction], [ErrRefused], or the system's.
func New() (*foreign.Host, error) {
	if err := load(); err != nil {
		return nil, err
	}
	base := foreign.Call(baseNew)
	if base == 0 {
		return nil, ErrRefused
	}
	host, err := foreign.New(&loop{base: base, frees: true})
	if err != nil {
		foreign.Call(baseFree, base)
	}
	return host, err
}

// On gives a host on a base, which is a *struct event_base. The errors are those of
// [New].
func On(base uintptr) (*foreign.Host, error) {
	if err := load(); err != nil {
		return nil, err
	}
	return foreign.New(&loop{base: base})
}

type loop struct {
	base  uintptr
	first uintptr // the event of the executor's descriptor
	frees bool    // the base
}

// libevent's events, features and flags.
const (
	evRead    = 0x2
	evWrite   = 0x4
	evPersist = 0x10
	evClosed  = 0x80

	featureEarlyClose = 8

	loopOnce = 1

	// In the list of a base: EVLIST_TIMEOUT, _INSERTED, _ACTIVE, _ACTIVE_LATER.
	listed = 0x1 | 0x2 | 0x8 | 0x20
)

var bits = [...]struct {
	event watch.Events
	bit   uintptr
}{
	{watch.Readable, evRead},
	{watch.Writable, evWrite},
	{watch.Hangup, evClosed},
}

var onEvent = sync.OnceValue(func() uintptr {
	return purego.NewCallback(func(_, came, event uintptr) uintptr {
		w := foreign.Find(event)
		if w == nil {
			return 0
		}
		var events watch.Events
		for _, b := range bits {
			if came&b.bit != 0 {
				events |= b.event
			}
		}
		w.Came(events, false)
		return 0
	})
})

// prefix is how a struct event of libevent 2.1 begins: what tells whether it is in a
// base. A base that is freed takes its events out, and leaves no other trace.
type prefix struct {
	_     [2]uintptr
	flags int16
}

func isIn(event uintptr) bool {
	return (*(**prefix)(unsafe.Pointer(&event))).flags&listed != 0
}

func remove(event uintptr) {
	if isIn(event) {
		foreign.Call(eventDel, event)
	}
}

// isGone reports whether the program has freed the base.
func (l *loop) isGone() bool { return l.first != 0 && !isIn(l.first) }

func (l *loop) bind(w *foreign.Watch) {
	event := foreign.Call(allocate, 1, foreign.Call(eventSize))
	foreign.Call(eventAssign, event, l.base, uintptr(w.FD), 0, onEvent(), event)
	w.Bind(event)
	if l.first == 0 {
		l.first = event
	}
}

// Watch implements [foreign.Loop].
func (l *loop) Watch(w *foreign.Watch, events watch.Events) error {
	switch {
	case l.isGone():
		return executor.ErrClosed
	case events&watch.Priority != 0,
		events&watch.Hangup != 0 && foreign.Call(baseFeatures, l.base)&featureEarlyClose == 0:
		return watch.ErrUnwatchable
	}
	if w.Handle == 0 {
		var s unix.Stat_t // libevent would print an error for a file
		if unix.Fstat(w.FD, &s) == nil && s.Mode&unix.S_IFMT == unix.S_IFREG {
			return watch.ErrUnwatchable
		}
		l.bind(w)
	}
	remove(w.Handle)
	var mask uintptr
	for _, b := range bits {
		if events&b.event != 0 {
			mask |= b.bit
		}
	}
	if mask == 0 {
		return nil
	}
	foreign.Call(eventAssign, w.Handle, l.base, uintptr(w.FD), mask|evPersist, onEvent(), w.Handle)
	return failed(foreign.Call(eventAdd, w.Handle, 0))
}

// Unwatch implements [foreign.Loop].
func (l *loop) Unwatch(w *foreign.Watch) {
	remove(w.Handle)
	foreign.Call(release, w.Handle)
	if w.Handle == l.first {
		l.first = 0
	}
}

// Arm implements [foreign.Loop]. libevent counts from now.
func (l *loop) Arm(timer *foreign.Watch, at int64) error {
	if timer.Handle == 0 {
		l.bind(timer)
	}
	if l.isGone() {
		return executor.ErrClosed
	}
	remove(timer.Handle)
	if at == executor.Never {
		return nil
	}
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	wait := unix.NsecToTimeval(max(0, at-now.Nano()) + 999)
	foreign.Call(baseUpdateTime, l.base)
	return failed(foreign.Call(eventAdd, timer.Handle, uintptr(unsafe.Pointer(&wait))))
}

// Step implements [foreign.Loop].
func (l *loop) Step() error { return failed(foreign.Call(baseLoop, l.base, loopOnce)) }

// Close implements [foreign.Loop].
func (l *loop) Close() {
	if l.frees {
		foreign.Call(baseFree, l.base)
	}
}
