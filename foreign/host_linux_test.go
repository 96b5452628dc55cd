// SPDX-License-Identifier: Apache-2.0

package foreign

import (
	"errors"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/future"
	"github.com/pillion-dev/pillion/executor/watch"
)

// fake is a loop that the test plays.
type fake struct {
	handles  uintptr // of that many watches
	unwatch  int
	armed    []int64
	refuses  error // to watch, once it has a handle
	cannot   error // arm
	closings int
}

func (f *fake) bind(w *Watch) {
	if w.Handle == 0 {
		f.handles++
		w.Bind(f.handles)
	}
}

func (f *fake) Watch(w *Watch, _ watch.Events) error {
	f.bind(w)
	return f.refuses
}

func (f *fake) Arm(w *Watch, at int64) error {
	f.bind(w)
	f.armed = append(f.armed, at)
	return f.cannot
}

func (f *fake) Unwatch(*Watch) { f.unwatch++ }
func (f *fake) Step() error    { return nil }
func (f *fake) Close()         { f.closings++ }

// left checks that the host has let go of all handles, and of its thread.
func (f *fake) left(t *testing.T) {
	t.Helper()
	for handle := uintptr(1); handle <= f.handles; handle++ {
		if Find(handle) != nil {
			t.Error("a callback still finds", handle)
		}
	}
	if f.unwatch != int(f.handles) || len(threads.of) != 0 {
		t.Errorf("%d of %d handles, %d threads", f.unwatch, f.handles, len(threads.of))
	}
}

func newFake(t *testing.T) (*fake, *Host, *executor.Local) {
	t.Helper()
	f := new(fake)
	h, err := New(f)
	if err != nil {
		t.Fatal(err)
	}
	return f, h, executor.New(executor.Config{Host: h})
}

func TestAFailedAttachIsUndone(t *testing.T) {
	f, h, l := newFake(t)
	none := errors.New("none")
	for range 2 {
		f.refuses = none
		if err := h.Attach(l); err != none {
			t.Fatal(err)
		}
		f.left(t)
		f.refuses, f.cannot = nil, none
		if err := h.Attach(l); err != none {
			t.Fatal(err)
		}
		f.left(t)
		f.cannot = nil
	}
	if err := h.Attach(l); err != nil {
		t.Fatal(err)
	}
	f.refuses = none
	if err := h.Watch(0, watch.Readable, 1); err != none {
		t.Fatal(err)
	}
	f.refuses = nil
	if err := h.Close(); err != nil || f.closings != 1 {
		t.Fatal(err, f.closings)
	}
	f.left(t)
}

func came(w *Watch) {
	call := func() { w.Came(0, false) }
	Call(callBack(), uintptr(unsafe.Pointer(&call)))
}

// A loop that has several callbacks to make tells of the descriptor when the first of
// them has cleared it.
func TestALateCallbackDoesNotStopTheTurns(t *testing.T) {
	_, h, _ := newFake(t)
	now := int64(1)
	l := executor.New(executor.Config{Host: h, Clock: func() int64 { return now }})
	if err := h.Attach(l); err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	task, _ := executor.Spawn(l, coro.New(func(co *coro.Co) (int, error) {
		if _, err := coro.Await(co, future.Sleep(time.Second)); err != nil {
			return 0, err
		}
		return 0, co.Yield()
	}))
	turns := 0
	readable := func() bool {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(h.own.FD), Events: unix.POLLIN}}, 0)
		return n == 1 && err == nil
	}
	for ; readable(); turns++ {
		came(&h.own)
	}
	now += int64(time.Second)
	came(&h.own) // late: the timer is due, and a yield follows
	for ; readable(); turns++ {
		came(&h.own)
	}
	if !task.Done() || turns > 5 {
		t.Fatal(task.Done(), turns)
	}
}

// A timer of a loop may fire early. Then it isn't armed any more.
func TestATimerThatFiresEarlyIsArmedAnew(t *testing.T) {
	f, h, l := newFake(t)
	if err := h.Attach(l); err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	executor.Spawn(l, future.Sleep(time.Hour))
	came(&h.own)
	came(&h.own)
	if len(f.armed) != 2 || f.armed[0] != executor.Never {
		t.Fatal(f.armed)
	}
	came(&h.timer)
	if len(f.armed) != 3 {
		t.Fatal(f.armed)
	}
}
