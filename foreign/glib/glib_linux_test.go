// SPDX-License-Identifier: Apache-2.0

package glib

import (
	"runtime"
	"testing"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/future"
	"github.com/pillion-dev/pillion/foreign"
)

func more(t *testing.T) {
	t.Helper()
	if err := loadMore(); err != nil {
		t.Fatal(err)
	}
}

func attach(t *testing.T, context uintptr) (*foreign.Host, *executor.Local) {
	t.Helper()
	host, err := On(context, PriorityDefault)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := host.Close(); err != nil {
			t.Error(err)
		}
	})
	l := executor.New(executor.Config{Host: host})
	if err := host.Attach(l); err != nil {
		t.Fatal(err)
	}
	return host, l
}

func TestTheDefaultContext(t *testing.T) {
	host, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	l := executor.New(executor.Config{Host: host})
	if err := host.Attach(l); err != nil {
		t.Fatal(err)
	}
	task, _ := executor.Spawn(l, future.Sleep(0))
	for !task.Done() {
		foreign.Call(contextIteration, 0, 1)
	}
	if err := host.Close(); err != nil {
		t.Fatal(err)
	}
}

// A loop that C runs inside C's handler, as GTK's own dialogs do, is at the depth at
// which coroutines began.
func TestALoopInAHandlerOfCMakesTurns(t *testing.T) {
	more(t)
	outer, inner := foreign.Call(contextNew), foreign.Call(contextNew)
	defer foreign.Call(contextUnref, outer)
	defer foreign.Call(contextUnref, inner)
	_, l := attach(t, inner)
	var waker executor.Waker
	task, _ := executor.Spawn(l, coro.New(func(co *coro.Co) (int, error) {
		return coro.Await(co, future.Func[int](func(cx *executor.Context) (int, bool, error) {
			again := waker != 0
			waker = cx.Waker()
			return int(int32(foreign.Call(mainDepth))), again, nil
		}))
	}))
	for waker == 0 {
		foreign.Call(contextIteration, inner, 1)
	}
	waker.Wake()
	for !task.Done() {
		handler := foreign.Call(timeoutSourceNew, 0)
		foreign.Call(sourceSetCallback, handler, contextIteration, inner, 0)
		foreign.Call(sourceAttach, handler, outer)
		foreign.Call(contextIteration, outer, 1)
		foreign.Call(sourceDestroy, handler)
		foreign.Call(sourceUnref, handler)
	}
	if depth, err := task.Result(); depth != 2 || err != nil {
		t.Fatal(depth, err)
	}
}

func TestAContextOfAnotherThreadIsRefused(t *testing.T) {
	more(t)
	context := foreign.Call(contextNew)
	defer foreign.Call(contextUnref, context)
	owned, leave := make(chan struct{}), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		foreign.Call(contextAcquire, context)
		close(owned)
		<-leave
		foreign.Call(contextRelease, context)
		leave <- struct{}{}
	}()
	<-owned
	host, err := On(context, PriorityDefault)
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	l := executor.New(executor.Config{Host: host})
	if err := host.Attach(l); err != foreign.ErrWrongThread {
		t.Fatal(err)
	}
	leave <- struct{}{}
	<-leave
	if err := host.Attach(l); err != nil {
		t.Fatal(err)
	}
}
