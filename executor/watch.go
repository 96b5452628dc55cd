// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"io"

	"github.com/pillion-dev/pillion/executor/internal/cell"
	"github.com/pillion-dev/pillion/executor/watch"
)

const (
	waiters   = 4 // events that tasks can await
	awaitable = watch.Fault - 1
	always    = watch.Hangup | watch.Fault // reported to every waiter
)

// Watch is a descriptor that the host of an executor watches: this package has no
// reactor of its own. Tasks await it by [Watch.Ready].
//
//	var w executor.Watch
//	if err := w.Open(co.Local(), fd, nil); err != nil {
//		return err
//	}
//	defer w.CloseLocal()
//	_, err := coro.Await(co, w.Ready(watch.Readable))
//
// # Notes
//
// The zero Watch is storage for Open. A closed Watch may be opened again. An open Watch
// must not be copied.
type Watch struct {
	local  *Local
	closer io.Closer
	fd     int
	slot   uint32
	gen    uint32
	serial uint32 // counts its closes
	open   bool
	known  bool // by the host, which is owed an Unwatch

	// The events that the host was last asked for. They include all awaited events, and
	// shrink only when the host reports an event that no task awaits. So a task that
	// reads and awaits again costs no call of the host.
	told    watch.Events
	waiters [waiters]*readiness // by event
}

// Open makes a watch of fd for tasks of l. It is for the owner, in or outside of a
// poll. The host hears of the watch at the first await. If closer isn't nil, the owner
// closes it once the host has let go. An executor watches a descriptor once, and its
// free closes all open watches.
//
// # Errors
//
// [ErrBusy] if w is open or l watches fd already, [ErrAgain] over
// [Config.MaxWatches], [ErrClosed] on an executor that cancels or is freed,
// [watch.ErrUnwatchable] for a negative fd.
func (w *Watch) Open(l *Local, fd int, closer io.Closer) error {
	switch {
	case w.open:
		return ErrBusy
	case l.closing.Load() == uint32(CloseCancel):
		return ErrClosed
	case fd < 0:
		return watch.ErrUnwatchable
	case l.watched[fd] != nil:
		return ErrBusy
	case l.maxWatches > 0 && len(l.watched) >= l.maxWatches:
		return ErrAgain
	}
	c, slot, err := l.findSlot()
	if err != nil {
		return err
	}
	if c.watches == nil {
		c.watches = make([]*Watch, cell.Chunk)
	}
	if l.watched == nil {
		l.watched = make(map[int]*Watch)
	}
	c.watches[slot&cell.Mask] = w
	l.watched[fd] = w
	w.local, w.closer, w.fd = l, closer, fd
	w.slot, w.gen = slot, c.cells[slot&cell.Mask].Gen.Load()
	w.open, w.known, w.told = true, false, 0
	return nil
}

// Close asks the owner to close the watch in the next turn. Then tasks that await it
// get [ErrClosed], the host lets go of the descriptor, and the watch's closer, if there
// is one, closes it. Any goroutine may call Close, as long as the storage isn't opened
// again meanwhile.
//
// # Errors
//
// [ErrClosed] if the watch was closed before.
func (w *Watch) Close() error {
	r, pending := post(w.key(), cell.Close)
	if r == Stale || r == BadHandle || pending&cell.Close != 0 {
		return ErrClosed
	}
	return nil
}

// CloseLocal is [Watch.Close] for the owner, at once. It returns the closer's error.
func (w *Watch) CloseLocal() error {
	if !w.open {
		return ErrClosed
	}
	err := w.end()
	w.local.wakeHost()
	return err
}

func (w *Watch) key() uint64 {
	return kindWatch<<56 | uint64(w.slot)<<32 | uint64(w.gen)
}

// end closes the watch. Tasks that it wakes, and the closer, find it closed.
func (w *Watch) end() error {
	l := w.local
	w.open = false
	w.serial++
	w.wakeAll()
	c := lookup(w.slot)
	c.watches[w.slot&cell.Mask] = nil
	l.freeSlot(c, w.slot, w.gen)
	if w.known {
		l.host.(watch.Host).Unwatch(w.fd, w.key())
	}
	delete(l.watched, w.fd)
	closer := w.closer
	w.closer = nil
	if closer == nil {
		return nil
	}
	return closer.Close()
}

// wakeAll makes all waiters ask again.
func (w *Watch) wakeAll() {
	for i, r := range w.waiters {
		if r != nil {
			w.waiters[i] = nil
			w.local.wake(r.waker)
		}
	}
}

// tell asks the host to report just these events. The host may close the watch.
func (w *Watch) tell(events watch.Events) error {
	before, serial := w.told, w.serial
	h, ok := w.local.host.(watch.Host)
	if !ok {
		return watch.ErrUnwatchable
	}
	w.told = events
	err := h.Watch(w.fd, events, w.key())
	switch {
	case w.serial != serial:
		return ErrClosed
	case err != nil:
		w.told = before
		return err
	}
	w.known = true
	return nil
}

// report hands out the events that the host has seen. A waiter that it has woken
// before, and that hasn't asked since, is in no hurry. The host is then asked for less,
// or its loop would spin.
func (w *Watch) report(events watch.Events) {
	var woken watch.Events
	for i, r := range w.waiters {
		bit := watch.Events(1) << i
		if r == nil || events&(bit|always) == 0 || woken&bit != 0 {
			continue
		}
		fresh := r.came == 0
		r.came |= events & (r.interest | always)
		switch {
		case !fresh:
		case w.local.wake(r.waker) == Stale:
			r.Drop()
		case events&always != 0:
			woken |= r.interest
		default:
			woken |= r.interest & events
		}
	}
	if events&watch.Fault != 0 {
		w.told = 0 // the host has stopped watching by itself
		return
	}
	superfluous := events &^ woken
	if events&watch.Hangup != 0 { // it comes unasked
		superfluous &^= watch.Hangup
		if woken == 0 {
			superfluous = awaitable
		}
	}
	if superfluous&w.told != 0 {
		_ = w.tell(w.told &^ superfluous) // the host may go on reporting too much
	}
}

// Ready reports to the executor that a watched descriptor is ready; key is the key of
// its Watch. The host reports an event again as long as it stands. With [watch.Fault]
// the host stops watching by itself, until its Watch is called again. Ready is for the
// owner, and a Poll follows it. It returns false for the key of a closed watch, which
// does no harm.
func (l *Local) Ready(key uint64, events watch.Events) bool {
	slot := uint32(key>>32) & cell.SlotMask
	c := lookup(slot)
	if key>>56 != kindWatch || c == nil || c.local.Load() != l || c.watches == nil {
		return false
	}
	w := c.watches[slot&cell.Mask]
	if w == nil || w.gen != uint32(key) {
		return false
	}
	w.report(events)
	return true
}

// posted does the work that others posted to a watch's cell.
func (w *Watch) posted(pend uint64) {
	if events := watch.Events(pend >> cell.EventsShift & 0xff); events != 0 {
		w.report(events)
	}
	if pend&cell.Close != 0 && w.open {
		_ = w.end() // no caller is left to tell
	}
}

func (l *Local) closeWatches() {
	for _, w := range l.watched {
		_ = w.end() // no caller is left to tell
	}
}
