// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pillion-dev/pillion/executor/internal/cell"
	"github.com/pillion-dev/pillion/executor/internal/test"
	"github.com/pillion-dev/pillion/executor/watch"
)

// watchRig is a rig whose host records what it is told to watch.
type watchRig struct {
	*rig
	trace   []string
	key     uint64
	refuses error
}

func (r *watchRig) Watch(fd int, events watch.Events, key uint64) error {
	r.trace = append(r.trace, fmt.Sprint("watch", fd, ":", uint32(events)))
	r.key = key
	return r.refuses
}

func (r *watchRig) Unwatch(fd int, key uint64) {
	r.trace = append(r.trace, fmt.Sprint("unwatch", fd))
}

type closerFunc func() error

func (f closerFunc) Close() error { return f() }

func newWatchRig(t *testing.T, c Config) *watchRig {
	r := &watchRig{rig: &rig{t: t, now: 1}}
	c.Host, c.Clock = r, func() int64 { return r.now }
	r.Local = New(c)
	t.Cleanup(func() { r.Free() })
	return r
}

func (r *watchRig) traced(want string) {
	r.t.Helper()
	test.Equal(r.t, "trace", strings.Join(r.trace, " "), want)
	r.trace = nil
}

func (r *watchRig) open(fd int) *Watch {
	r.t.Helper()
	w := new(Watch)
	if err := w.Open(r.Local, fd, nil); err != nil {
		r.t.Fatal(err)
	}
	return w
}

// awaiting is a task's future that awaits so many times.
type awaiting struct {
	*readiness
	polls, times int
	got          []watch.Events
}

func (a *awaiting) Poll(cx *Context) (watch.Events, bool, error) {
	a.polls++
	for {
		e, ready, err := a.readiness.Poll(cx)
		if !ready || err != nil {
			return 0, ready, err
		}
		if a.got = append(a.got, e); len(a.got) >= a.times {
			return e, true, nil
		}
	}
}

func (r *watchRig) await(w *Watch, interest watch.Events, times int) (*awaiting, *Task[watch.Events]) {
	a := &awaiting{readiness: w.ready(interest), times: times}
	return a, mustSpawn[watch.Events](r.t, r.Local, a)
}

func TestAwaitingAgainCostsNoCallOfTheHost(t *testing.T) {
	r := newWatchRig(t, Config{})
	a, task := r.await(r.open(7), watch.Readable, 100)
	r.turn(1)
	for range 100 {
		if !r.Ready(r.key, watch.Readable) {
			t.Fatal("not known")
		}
		r.turn(1)
	}
	test.Equal(t, "done", task.Done(), true)
	test.Equal(t, "polls", a.polls, 101)
	r.traced("watch7:1")
	r.Ready(r.key, watch.Readable)
	r.Ready(r.key, watch.Readable) // late
	r.traced("watch7:0")
}

func TestCancelTakesTheInterestBack(t *testing.T) {
	r := newWatchRig(t, Config{})
	w := r.open(7)
	_, task := r.await(w, watch.Readable, 1)
	r.turn(1)
	task.Cancel()
	r.turn(0)
	r.Ready(r.key, watch.Readable)
	r.traced("watch7:1 watch7:0")
	a, _ := r.await(w, watch.Readable, 1)
	r.turn(1)
	r.Ready(r.key, watch.Readable)
	r.turn(1)
	test.Equal(t, "events", a.got[0], watch.Readable)
	r.traced("watch7:1")
}

func TestTheWokenWhoDoesNotAskDoesNotSpin(t *testing.T) {
	r := newWatchRig(t, Config{})
	a, _ := r.await(r.open(7), watch.Readable, 1)
	r.turn(1)
	r.Ready(r.key, watch.Readable)
	r.traced("watch7:1")
	r.Ready(r.key, watch.Readable)
	r.Ready(r.key, watch.Readable)
	r.traced("watch7:0")
	r.turn(1)
	test.Equal(t, "events", a.got[0], watch.Readable)
}

func TestWhatNobodyAwaitsLeavesTheOtherDirection(t *testing.T) {
	r := newWatchRig(t, Config{})
	w := r.open(7)
	_, reader := r.await(w, watch.Readable, 1)
	b, _ := r.await(w, watch.Writable, 1)
	r.turn(2)
	reader.Cancel()
	r.turn(0)
	r.Ready(r.key, watch.Readable)
	r.traced("watch7:1 watch7:3 watch7:2")
	r.Ready(r.key, watch.Writable)
	r.turn(1)
	test.Equal(t, "b", b.got[0], watch.Writable)
}

func TestTwoDirectionsHaveTwoTasks(t *testing.T) {
	r := newWatchRig(t, Config{})
	w := r.open(7)
	a, _ := r.await(w, watch.Readable|watch.Hangup, 1)
	b, _ := r.await(w, watch.Writable, 1)
	_, third := r.await(w, watch.Readable, 1)
	r.turn(3)
	_, err := third.Result()
	test.Equal(t, "third", err, ErrBusy)
	r.traced("watch7:5 watch7:7")
	r.Ready(r.key, watch.Writable)
	r.turn(1)
	test.Equal(t, "b", b.got[0], watch.Writable)
	r.Ready(r.key, watch.Readable|watch.Writable)
	r.turn(1)
	test.Equal(t, "a", a.got[0], watch.Readable)
	r.traced("watch7:5") // no task awaits Writable any more
}

func TestWaiterWhoseTaskHasGoneMakesRoom(t *testing.T) {
	r := newWatchRig(t, Config{})
	w := r.open(7)
	left := w.Ready(watch.Readable)
	mustSpawn[int](t, r.Local, &probe{Ready: true, OnPoll: func(cx *Context) { left.Poll(cx) }})
	r.turn(1)
	a, task := r.await(w, watch.Readable, 1)
	r.turn(1)
	test.Equal(t, "done", task.Done(), false)
	r.Ready(r.key, watch.Readable)
	r.turn(1)
	test.Equal(t, "a", a.got[0], watch.Readable)
}

func TestHangupAndFaultComeToEverybody(t *testing.T) {
	r := newWatchRig(t, Config{})
	w := r.open(7)
	a, _ := r.await(w, watch.Readable, 2)
	b, _ := r.await(w, watch.Writable, 1)
	r.turn(2)
	r.Ready(r.key, watch.Hangup)
	r.turn(2)
	test.Equal(t, "a", a.got[0], watch.Hangup)
	test.Equal(t, "b", b.got[0], watch.Hangup)
	r.Ready(r.key, watch.Fault|watch.Readable)
	r.turn(1)
	test.Equal(t, "a", a.got[1], watch.Fault|watch.Readable)
	r.traced("watch7:1 watch7:3")
	r.Ready(r.key, watch.Fault) // the host has stopped by itself
	r.traced("")
	r.await(w, watch.Readable, 1)
	r.turn(1)
	r.Ready(r.key, watch.Hangup)
	r.turn(1)
	r.Ready(r.key, watch.Hangup)
	r.traced("watch7:1 watch7:0")
}

func TestCloseTellsTheHostFirst(t *testing.T) {
	r := newWatchRig(t, Config{})
	failed := errors.New("failed")
	var w Watch
	w.Open(r.Local, 7, closerFunc(func() error {
		r.traced("watch7:1 unwatch7")
		return failed
	}))
	test.Equal(t, "open", w.Open(r.Local, 8, nil), ErrBusy)
	a, task := r.await(&w, watch.Readable, 1)
	r.turn(1)
	pokes := r.pokes
	test.Equal(t, "close", w.CloseLocal(), failed)
	test.Equal(t, "pokes", r.pokes, pokes+1)
	r.turn(1)
	_, err := task.Result()
	test.Equal(t, "err", err, ErrClosed)
	test.Equal(t, "again", w.CloseLocal(), ErrClosed)
	test.Equal(t, "again", w.Close(), ErrClosed)
	test.Equal(t, "late", r.Ready(r.key, watch.Readable), false)
	old := r.key
	w.Open(r.Local, 7, nil)
	b, _ := r.await(&w, watch.Readable, 1)
	r.turn(1)
	test.Equal(t, "late", r.Ready(old, watch.Readable), false)
	a.Drop() // the future of before
	r.Ready(r.key, watch.Readable)
	r.turn(1)
	test.Equal(t, "b", b.got[0], watch.Readable)
}

func TestCloseFromAnyGoroutine(t *testing.T) {
	r := newWatchRig(t, Config{})
	closed := 0
	var w Watch
	w.Open(r.Local, 7, closerFunc(func() error { closed++; return nil }))
	_, task := r.await(&w, watch.Readable, 1)
	r.turn(1)
	var wg sync.WaitGroup
	var first atomic.Int32
	for range 4 {
		wg.Go(func() {
			if err := w.Close(); err == nil {
				first.Add(1)
			} else if err != ErrClosed {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	test.Equal(t, "first", first.Load(), 1)
	r.traced("watch7:1")
	r.turn(1)
	_, err := task.Result()
	test.Equal(t, "err", err, ErrClosed)
	test.Equal(t, "closed", closed, 1)
	r.traced("unwatch7")
	test.Equal(t, "again", w.Close(), ErrClosed)
	test.Equal(t, "never opened", new(Watch).Close(), ErrClosed)
}

// A watch ends once, with any closer, and its waiter hears of it.
func TestClosersAndTheOwnerRace(t *testing.T) {
	r := newWatchRig(t, Config{})
	var w Watch
	closed := 0
	count := closerFunc(func() error { closed++; return nil })
	const rounds = 500
	for i := range rounds {
		if err := w.Open(r.Local, 7, count); err != nil {
			t.Fatal(err)
		}
		_, task := r.await(&w, watch.Readable, 1)
		r.turn(1)
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() { w.Close() })
		}
		if i%2 == 0 {
			w.CloseLocal()
		}
		wg.Wait()
		for !task.Done() {
			r.Poll(Budget{})
		}
		if _, err := task.Result(); err != ErrClosed {
			t.Fatal(err)
		}
	}
	test.Equal(t, "closed", closed, rounds)
}

func TestFreeClosesWatches(t *testing.T) {
	r := newWatchRig(t, Config{MaxWatches: 2})
	closed := 0
	count := closerFunc(func() error { closed++; return nil })
	var w, untold, more Watch
	w.Open(r.Local, 7, count)
	untold.Open(r.Local, 8, count)
	test.Equal(t, "twice", more.Open(r.Local, 7, nil), ErrBusy)
	test.Equal(t, "negative", more.Open(r.Local, -1, nil), watch.ErrUnwatchable)
	test.Equal(t, "quota", more.Open(r.Local, 9, nil), ErrAgain)
	r.await(&w, watch.Readable, 1)
	r.turn(1)
	r.Free()
	test.Equal(t, "closed", closed, 2)
	r.traced("watch7:1 unwatch7")
	test.Equal(t, "freed", more.Open(r.Local, 9, nil), ErrClosed)
	test.Equal(t, "freed", w.Close(), ErrClosed)
}

func TestHostsThatCannotWatch(t *testing.T) {
	plain := newRig(t)
	var w, on Watch
	w.Open(plain.Local, 7, nil)
	task := mustSpawn[watch.Events](t, plain.Local, w.Ready(watch.Readable))
	plain.turn(1)
	_, err := task.Result()
	test.Equal(t, "err", err, watch.ErrUnwatchable)
	test.Equal(t, "is", errors.Is(err, errors.ErrUnsupported), true)

	r := newWatchRig(t, Config{})
	on.Open(r.Local, 7, nil)
	r.refuses = errors.New("no")
	_, refused := r.await(&on, watch.Readable, 1)
	r.turn(1)
	_, err = refused.Result()
	test.Equal(t, "err", err, r.refuses)
	stranger := mustSpawn[watch.Events](t, r.Local, w.Ready(watch.Readable))
	r.turn(1)
	_, err = stranger.Result()
	test.Equal(t, "err", err, ErrWrongLocal)
	defer func() {
		test.Equal(t, "panic", fmt.Sprint(recover()), "executor: Ready without an event")
	}()
	on.Ready(watch.Fault)
}

func TestRewatchTellsANewHost(t *testing.T) {
	r := newWatchRig(t, Config{})
	a, _ := r.await(r.open(7), watch.Readable, 1)
	_, b := r.await(r.open(8), watch.Writable, 1)
	r.turn(2)
	r.traced("watch7:1 watch8:2")
	r.Ready(r.watched[7].key(), watch.Readable)
	r.Carrier().Rewatch() // 7 was woken, and has not asked yet
	r.traced("watch8:2")
	r.turn(1)
	test.Equal(t, "a", a.got[0], watch.Readable)
	r.refuses = watch.ErrUnwatchable
	r.Carrier().Rewatch()
	r.turn(1)
	_, err := b.Result()
	test.Equal(t, "err", err, watch.ErrUnwatchable)
}

// What a host in C reports comes with the cell.
func TestReportsAreDelivered(t *testing.T) {
	r := newWatchRig(t, Config{})
	a, _ := r.await(r.open(7), watch.Readable, 2)
	r.turn(1)
	post(r.key, uint64(watch.Readable)<<cell.EventsShift)
	post(r.key, uint64(watch.Hangup)<<cell.EventsShift)
	r.turn(1)
	test.Equal(t, "events", a.got[0], watch.Readable|watch.Hangup)
	post(r.key, uint64(watch.Readable)<<cell.EventsShift|cell.Close)
	r.turn(1)
	test.Equal(t, "times", len(a.got), 1)
	r.traced("watch7:1 unwatch7")
}
