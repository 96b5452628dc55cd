// SPDX-License-Identifier: Apache-2.0

package executor

import "github.com/pillion-dev/pillion/executor/watch"

// Ready makes a future of one of [watch.Readable], [watch.Writable], [watch.Hangup] and
// [watch.Priority], or of several. One task may await each of them, so that one reads
// while another writes. The caller keeps the future, and may await it again and again
// without an allocation.
//
//	r := w.Ready(watch.Readable)
//	for {
//		n, err := unix.Read(fd, buffer)
//		if err != unix.EAGAIN {
//			return n, err
//		}
//		if _, err := coro.Await(co, r); err != nil {
//			return 0, err
//		}
//	}
//
// # Notes
//
// The value has the events at the time when the host looked, so descriptors should be
// non-blocking. It has the events that were asked for, and always [watch.Hangup] and
// [watch.Fault]. Ready panics without any event, and is for the owner.
//
// # Errors
//
// [ErrClosed] if the watch was closed, [ErrBusy] if another task awaits the same event,
// [ErrWrongLocal] in a task of another executor or of a pool, [watch.ErrUnwatchable] if
// the host can't watch the descriptor, or any, and the host's own.
func (w *Watch) Ready(interest watch.Events) Future[watch.Events] { return w.ready(interest) }

func (w *Watch) ready(interest watch.Events) *readiness {
	if interest &= awaitable; interest == 0 {
		panic("executor: Ready without an event")
	}
	return &readiness{watch: w, serial: w.serial, interest: interest}
}

// readiness is the future that Ready makes.
type readiness struct {
	watch    *Watch
	serial   uint32 // of the watch
	interest watch.Events
	came     watch.Events // not yet taken
	waker    Waker
}

func (r *readiness) Poll(cx *Context) (watch.Events, bool, error) {
	w := r.watch
	switch {
	case !w.open || w.serial != r.serial:
		return 0, true, ErrClosed
	case !cx.isOf(w.local):
		return 0, true, ErrWrongLocal
	case r.came != 0:
		came := r.came
		r.Drop()
		return came, true, nil
	}
	if err := r.await(cx.Waker()); err != nil {
		return 0, true, err
	}
	return 0, false, nil
}

// Drop ends the wait. The host hears of that when it reports an event that no task
// awaits.
func (r *readiness) Drop() {
	for i, other := range r.watch.waiters {
		if other == r {
			r.watch.waiters[i] = nil
		}
	}
	r.came, r.waker = 0, 0
}

func (r *readiness) await(waker Waker) error {
	w := r.watch
	for i, other := range w.waiters {
		if r.interest>>i&1 == 0 || other == nil || other == r {
			continue
		}
		if other.waker.Live() {
			return ErrBusy
		}
		other.Drop() // its task has not done it
	}
	r.waker = waker
	for i := range w.waiters {
		if r.interest>>i&1 != 0 {
			w.waiters[i] = r
		}
	}
	want := w.wanted()
	if want&^w.told == 0 {
		return nil
	}
	err := w.tell(want | w.told)
	if err != nil {
		r.Drop()
	}
	return err
}

// wanted gives the events of waiters that weren't woken yet.
func (w *Watch) wanted() (events watch.Events) {
	for _, r := range w.waiters {
		if r != nil && r.came == 0 {
			events |= r.interest
		}
	}
	return events
}
