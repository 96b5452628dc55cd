// SPDX-License-Identifier: Apache-2.0

package executor

import "io"

// Events says what a descriptor is ready for.
type Events uint32

const (
	Readable Events = 1 << iota
	Writable
	Hangup   // the other side is gone, or will send no more
	Priority // urgent data, or a change of a file in /proc
	Fault    // an error, which the next read or write tells; it is only reported

	waiters   = 4 // events that can be awaited
	awaitable = Fault - 1
	always    = Hangup | Fault // reported to whoever waits
)

// Watcher is a [Host] that watches descriptors. Both methods are called by the
// owner, also in turns.
//
// Watch says which events of fd the host shall report to [Local.Ready], together
// with key, as long as they stand. Its first call for a key registers the
// descriptor, later ones change what is asked for; with no events the host keeps it
// and reports nothing, not even a hang-up. After an error nothing has changed.
//
// Unwatch lets go of a descriptor, before it is closed.
type Watcher interface {
	Watch(fd int, events Events, key uint64) error
	Unwatch(fd int, key uint64)
}

// Watch is a descriptor that the host of an executor watches: this package has no
// reactor of its own. Tasks await it by [Watch.Ready].
//
//	var w executor.Watch
//	if err := w.Open(co.Local(), fd, nil); err != nil {
//		return err
//	}
//	defer w.CloseLocal()
//	_, err := coro.Await(co, w.Ready(executor.Readable))
//
// # Notes
//
// The zero Watch is storage for Open; a closed one may be opened again. An open one
// must not be copied.
type Watch struct {
	local  *Local
	closer io.Closer
	fd     int
	slot   uint32
	gen    uint32
	serial uint32 // counts the times that it was closed
	open   bool
	known  bool // to the host: an Unwatch is owed

	// What the host was last asked to report. What somebody awaits is part of it.
	// It shrinks only when the host reports what nobody awaits, so that reading and
	// awaiting again costs no call of the host.
	told    Events
	waiters [waiters]*Readiness // by event
}

// Open makes a watch of fd for tasks of l. It belongs to the owner, in or outside of
// a poll. The host hears of it when something is awaited for the first time. If
// closer isn't nil, it is closed once the host has let go. An executor watches a
// descriptor once, and closes what is open when it is freed.
//
// # Errors
//
// [ErrLive] if w is open, [ErrBusy] if l watches fd already, [ErrAgain] over
// [Config.MaxWatches], [ErrClosed] on an executor that cancels or is freed,
// [ErrUnwatchable] for a negative fd.
func (w *Watch) Open(l *Local, fd int, closer io.Closer) error {
	switch {
	case w.open:
		return ErrLive
	case l.closing.Load() == uint32(CloseCancel):
		return ErrClosed
	case fd < 0:
		return ErrUnwatchable
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
		c.watches = make([]*Watch, ChunkCells)
	}
	if l.watched == nil {
		l.watched = make(map[int]*Watch)
	}
	c.watches[slot&chunkMask] = w
	l.watched[fd] = w
	w.local, w.closer, w.fd = l, closer, fd
	w.slot, w.gen = slot, c.cells[slot&chunkMask].gen.Load()
	w.open, w.known, w.told = true, false, 0
	return nil
}

// Close asks the owner to close the watch: tasks that await it get [ErrClosed], the
// host lets go of the descriptor, and then it is closed, if the watch has a closer.
// Any goroutine may call it, as long as the storage isn't opened again meanwhile. It
// is done in the next turn.
//
// # Errors
//
// [ErrClosed] if that was done before.
func (w *Watch) Close() error {
	r, pending := post(w.key(), pendClose)
	if r == Stale || r == BadHandle || pending&pendClose != 0 {
		return ErrClosed
	}
	return nil
}

// CloseLocal is [Watch.Close] for the owner: all is done when it returns what the
// closer returned.
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

// end closes the watch. Who is woken, and who is called, finds it closed.
func (w *Watch) end() error {
	l := w.local
	w.open = false
	w.serial++
	w.wakeAll()
	c := lookup(w.slot)
	c.watches[w.slot&chunkMask] = nil
	l.freeSlot(c, w.slot, w.gen)
	if w.known {
		l.host.(Watcher).Unwatch(w.fd, w.key())
	}
	delete(l.watched, w.fd)
	closer := w.closer
	w.closer = nil
	if closer == nil {
		return nil
	}
	return closer.Close()
}

// wakeAll makes those who wait ask again.
func (w *Watch) wakeAll() {
	for i, r := range w.waiters {
		if r != nil {
			w.waiters[i] = nil
			w.local.wake(r.waker)
		}
	}
}

// tell asks the host to report just these events. The host may close the watch.
func (w *Watch) tell(events Events) error {
	before, serial := w.told, w.serial
	h, ok := w.local.host.(Watcher)
	if !ok {
		return ErrUnwatchable
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

// report hands out what the host has seen. Whom it has woken before, and who hasn't
// asked since, is in no hurry: the host is then told less, or its loop would spin.
func (w *Watch) report(events Events) {
	var woken Events
	for i, r := range w.waiters {
		bit := Events(1) << i
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
	if events&Fault != 0 {
		w.told = 0 // the host has stopped by itself
		return
	}
	superfluous := events &^ woken
	if events&Hangup != 0 { // it comes whatever the host was told
		superfluous &^= Hangup
		if woken == 0 {
			superfluous = awaitable
		}
	}
	if superfluous&w.told != 0 {
		_ = w.tell(w.told &^ superfluous) // it may report more than it needs to
	}
}

// Ready is how a host reports that a watched descriptor is ready: key is what its
// Watch was given. What still stands is reported again and again. With [Fault] the
// host stops to watch by itself, until its Watch is called again. It is for the
// owner, and followed by a Poll. It returns false for the key of a watch that is
// closed, which does no harm.
func (l *Local) Ready(key uint64, events Events) bool {
	slot := uint32(key>>32) & slotMask
	c := lookup(slot)
	if key>>56 != kindWatch || c == nil || c.local.Load() != l || c.watches == nil {
		return false
	}
	w := c.watches[slot&chunkMask]
	if w == nil || w.gen != uint32(key) {
		return false
	}
	w.report(events)
	return true
}

// posted does what came for a watch by its cell.
func (w *Watch) posted(pend uint64) {
	if events := Events(pend >> eventsShift & 0xff); events != 0 {
		w.report(events)
	}
	if pend&pendClose != 0 && w.open {
		_ = w.end() // nobody is left to tell
	}
}

func (l *Local) closeWatches() {
	for _, w := range l.watched {
		_ = w.end() // nobody is left to tell
	}
}
