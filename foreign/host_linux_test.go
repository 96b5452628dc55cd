// SPDX-License-Identifier: Apache-2.0

package foreign

import (
	"errors"
	"testing"
	"time"
	"unsafe"

	"github.com/pillion-dev/pillion/executor"
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

// A timer of a loop may fire early. Then it isn't armed any more.
func TestATimerThatFiresEarlyIsArmedAnew(t *testing.T) {
	f, h, l := newFake(t)
	if err := h.Attach(l); err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	came := func(w *Watch) {
		call := func() { w.Came(0, false) }
		Call(callBack(), uintptr(unsafe.Pointer(&call)))
	}
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
