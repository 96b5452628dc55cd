// SPDX-License-Identifier: Apache-2.0

// Package glib puts an executor on a GMainContext of GLib 2.36 or later, so on GTK's, too,
// without cgo. Package foreign has what all such hosts share.
//
//	host, err := glib.Default()
//	...
//	defer host.Close()
//	l := executor.New(executor.Config{Host: host})
//	err = host.Attach(l)
//
// Tasks run on the thread of the context, so they may touch widgets, without
// g_idle_add. The deadline is met up to 1 ms late, never early. GLib can't end a loop
// when no task is live any more; [foreign.Host.Run] does.
package glib

import (
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/watch"
	"github.com/pillion-dev/pillion/foreign"
	"github.com/pillion-dev/pillion/foreign/internal/descriptor"
)

// Priorities of sources. Frames and input of GTK come between the two.
const (
	PriorityDefault     = 0
	PriorityDefaultIdle = 200
)

var contextRef, contextRefDefault, contextUnref, contextAcquire, contextRelease,
	contextIteration, mainDepth, sourceNew, sourceAttach, sourceDestroy, sourceUnref,
	sourceIsDestroyed, sourceSetCanRecurse, sourceSetPriority, sourceSetReadyTime, sourceAddFD,
	sourceModifyFD, sourceQueryFD, sourceRemoveFD uintptr

var load = sync.OnceValue(func() error {
	return foreign.Load("libglib-2.0.so.0", map[string]*uintptr{
		"g_main_context_ref":                &contextRef,
		"g_main_context_ref_thread_default": &contextRefDefault,
		"g_main_context_unref":              &contextUnref,
		"g_main_context_acquire":            &contextAcquire,
		"g_main_context_release":            &contextRelease,
		"g_main_context_iteration":          &contextIteration,
		"g_main_depth":                      &mainDepth,
		"g_source_new":                      &sourceNew,
		"g_source_attach":                   &sourceAttach,
		"g_source_destroy":                  &sourceDestroy,
		"g_source_unref":                    &sourceUnref,
		"g_source_is_destroyed":             &sourceIsDestroyed,
		"g_source_set_can_recurse":          &sourceSetCanRecurse,
		"g_source_set_priority":             &sourceSetPriority,
		"g_source_set_ready_time":           &sourceSetReadyTime,
		"g_source_add_unix_fd":              &sourceAddFD,
		"g_source_modify_unix_fd":           &sourceModifyFD,
		"g_source_query_unix_fd":            &sourceQueryFD,
		"g_source_remove_unix_fd":           &sourceRemoveFD,
	})
})

// Default gives a host on the thread's default context, which GTK's is, with
// [PriorityDefault].
//
// # Errors
//
// [foreign.ErrNoLibrary], [foreign.ErrNoFunction], or the system's.
func Default() (*foreign.Host, error) { return On(0, PriorityDefault) }

// On gives a host on a context, which is a *GMainContext; 0 is the thread's default one.
// The sources for the executor and for the descriptors that its tasks await have this
// priority. A task that is always ready keeps sources of a lower one waiting: in a GTK
// program [PriorityDefaultIdle] lets frames go first. The errors are those of [Default].
func On(context uintptr, priority int) (*foreign.Host, error) {
	if err := load(); err != nil {
		return nil, err
	}
	if context == 0 {
		context = foreign.Call(contextRefDefault)
	} else {
		context = foreign.Call(contextRef, context)
	}
	host, err := foreign.New(loop{context, priority})
	if err != nil {
		foreign.Call(contextUnref, context)
	}
	return host, err
}

type loop struct {
	context  uintptr
	priority int
}

// sourceSize is that of a GSource.
const sourceSize = 96

// functions is a GSourceFuncs in which only dispatch is set. It stays where it is.
var functions [6]uintptr

var makeFunctions = sync.OnceFunc(func() {
	functions[2] = purego.NewCallback(func(source, _, _ uintptr) uintptr {
		if w := foreign.Find(source); w != nil {
			var came uintptr
			if w.Tag != 0 && w.Awaited() {
				came = foreign.Call(sourceQueryFD, source, w.Tag)
			}
			w.Came(descriptor.FromPoll(int16(came)), int32(foreign.Call(mainDepth)) > 1)
		}
		return 1 // G_SOURCE_CONTINUE
	})
})

// bind makes a source for w.
func (l loop) bind(w *foreign.Watch) error {
	if int32(foreign.Call(contextAcquire, l.context)) == 0 {
		return foreign.ErrWrongThread
	}
	foreign.Call(contextRelease, l.context)
	makeFunctions()
	source := foreign.Call(sourceNew, uintptr(unsafe.Pointer(&functions)), sourceSize)
	if w.FD >= 0 { // without it GLib wakes itself for a descriptor after each turn, with it for a timer
		foreign.Call(sourceSetCanRecurse, source, 1)
	}
	foreign.Call(sourceSetPriority, source, uintptr(l.priority))
	foreign.Call(sourceAttach, source, l.context)
	w.Bind(source)
	return nil
}

// Watch implements [foreign.Loop]. poll(2) reports hang-ups unasked: so nothing is
// watched for nothing.
func (l loop) Watch(w *foreign.Watch, events watch.Events) error {
	if w.Handle == 0 {
		if err := l.bind(w); err != nil {
			return err
		}
	}
	mask := uintptr(descriptor.ToPoll(events))
	switch {
	case foreign.Call(sourceIsDestroyed, w.Handle)&1 != 0:
		return executor.ErrClosed
	case events != 0 && w.Tag != 0:
		foreign.Call(sourceModifyFD, w.Handle, w.Tag, mask)
	case events != 0:
		w.Tag = foreign.Call(sourceAddFD, w.Handle, uintptr(w.FD), mask)
	case w.Tag != 0:
		foreign.Call(sourceRemoveFD, w.Handle, w.Tag)
		w.Tag = 0
	}
	return nil
}

// Unwatch implements [foreign.Loop].
func (l loop) Unwatch(w *foreign.Watch) {
	foreign.Call(sourceDestroy, w.Handle)
	foreign.Call(sourceUnref, w.Handle)
}

// Arm implements [foreign.Loop]. GLib counts microseconds.
func (l loop) Arm(timer *foreign.Watch, at int64) error {
	if timer.Handle == 0 {
		if err := l.bind(timer); err != nil {
			return err
		}
	}
	ready := int64(-1)
	if at != executor.Never {
		ready = (at-1)/1000 + 1
	}
	foreign.Call(sourceSetReadyTime, timer.Handle, uintptr(ready))
	return nil
}

// Step implements [foreign.Loop].
func (l loop) Step() error {
	foreign.Call(contextIteration, l.context, 1)
	return nil
}

// Close implements [foreign.Loop].
func (l loop) Close() { foreign.Call(contextUnref, l.context) }
