// SPDX-License-Identifier: Apache-2.0

package event

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/future"
	"github.com/pillion-dev/pillion/executor/watch"
	"github.com/pillion-dev/pillion/foreign"
	"github.com/pillion-dev/pillion/foreign/internal/hostsuite"
	"github.com/pillion-dev/pillion/foreign/internal/suite"
)

func TestMain(m *testing.M) { suite.Main(m) }

var baseOnce uintptr

var loadMore = sync.OnceValue(func() error {
	return foreign.Load("libevent_core-2.1.so.7", map[string]*uintptr{"event_base_once": &baseOnce})
})

var keys atomic.Uintptr

func after(base uintptr, d time.Duration, f func()) {
	key := 1<<48 + keys.Add(1) // no descriptor
	hostsuite.Handle(key, f)
	wait := unix.NsecToTimeval(int64(d))
	foreign.Call(baseUpdateTime, base)
	foreign.Call(baseOnce, base, ^uintptr(0), 1, hostsuite.Handler(), key, uintptr(unsafe.Pointer(&wait)))
}

func open(t *testing.T) *hostsuite.Loop {
	t.Helper()
	if err := load(); err != nil {
		t.Fatal(err)
	}
	if err := loadMore(); err != nil {
		t.Fatal(err)
	}
	base := foreign.Call(baseNew)
	destroy := sync.OnceFunc(func() { foreign.Call(baseFree, base) })
	t.Cleanup(destroy)
	return &hostsuite.Loop{
		Host:    func() (*foreign.Host, error) { return On(base) },
		Round:   func() { foreign.Call(baseLoop, base, loopOnce) },
		After:   func(d time.Duration, f func()) { after(base, d, f) },
		Destroy: destroy,
	}
}

func TestHost(t *testing.T) { hostsuite.Tests(t, open) }

func TestABaseOfItsOwn(t *testing.T) {
	host, err := New()
	if err != nil {
		t.Fatal(err)
	}
	l := executor.New(executor.Config{Host: host})
	if err := host.Attach(l); err != nil {
		t.Fatal(err)
	}
	a, b := suite.Sockets(t)
	defer unix.Close(b)
	var w executor.Watch
	w.Open(l, a, suite.Closer(a))
	task, _ := executor.Spawn[watch.Events](l, w.Ready(watch.Priority))
	if err := host.Run(); err != nil {
		t.Fatal(err)
	}
	if task.Err() != watch.ErrUnwatchable {
		t.Fatal(task.Err())
	}
	executor.Spawn(l, future.Sleep(time.Hour))
	if err := host.Close(); err != nil {
		t.Fatal(err)
	}
}
