// SPDX-License-Identifier: Apache-2.0

package foreign

import (
	"sync"

	"github.com/pillion-dev/pillion/executor/watch"
)

// Loop is what the author of a host does on a loop. The callbacks that the loop gets call
// [Find] and [Watch.Came]. Make them once for a process: purego frees none of its 2,000.
//
// Watch watches w.FD for these events, level-triggered, or for none if they are 0, but
// keeps it: then not even a hang-up comes. The first call for a Watch hands the loop's
// handle to [Watch.Bind]. Its errors are [watch.ErrUnwatchable],
// [executor.ErrBusy], [executor.ErrClosed], [ErrWrongThread], or the system's.
//
// Unwatch lets go of w.Handle, perhaps in its callback, or of that of the timer.
//
// Arm makes the timer due at a time of CLOCK_MONOTONIC in nanoseconds, and not before;
// [executor.Never] stops it. The first call hands the loop's handle to Watch.Bind.
//
// Step makes one round of the loop, and waits for an event.
//
// Close lets go of the loop, of which no handle of the host is left.
type Loop interface {
	Watch(w *Watch, events watch.Events) error
	Unwatch(w *Watch)
	Arm(timer *Watch, at int64) error
	Step() error
	Close()
}

// Keeper is a [Loop] that ends when nothing keeps it. Keep says whether own, the
// descriptor of the executor, does.
type Keeper interface {
	Keep(own *Watch, live bool)
}

// Watch is a descriptor that a host watches, or its timer.
type Watch struct {
	FD     int     // -1: the timer
	Handle uintptr // the loop's
	Tag    uintptr // for the loop

	host *Host
	key  uint64 // of the executor's Watch
}

// found has the watches by handle, so that no Go pointer is in C's memory.
var found sync.Map

// Find gives the watch that a callback is for; nil if the host has let go of it.
func Find(handle uintptr) *Watch {
	w, _ := found.Load(handle)
	watch, _ := w.(*Watch)
	return watch
}

// Awaited reports whether tasks await w, so that it matters which events come.
func (w *Watch) Awaited() bool { return w != &w.host.own && w != &w.host.timer }

// Bind makes the watch known by its handle.
func (w *Watch) Bind(handle uintptr) {
	w.Handle = handle
	found.Store(handle, w)
}

func (w *Watch) release() {
	if w.Handle != 0 {
		found.Delete(w.Handle)
		w.host.loop.Unwatch(w)
		w.Handle = 0
	}
}
