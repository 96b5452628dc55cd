// SPDX-License-Identifier: Apache-2.0

package sdevent

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/foreign"
	"github.com/pillion-dev/pillion/foreign/internal/hostsuite"
	"github.com/pillion-dev/pillion/foreign/internal/suite"
)

func TestMain(m *testing.M) { suite.Main(m) }

var loopNew uintptr

var loadMore = sync.OnceValue(func() error {
	return foreign.Load("libsystemd.so.0", map[string]*uintptr{"sd_event_new": &loopNew})
})

var keys atomic.Uintptr

func after(loop uintptr, d time.Duration, f func()) {
	key := 1<<48 + keys.Add(1) // no pointer
	hostsuite.Handle(key, f)
	var now unix.Timespec
	unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	at := uintptr(now.Nano()+int64(d)) / 1000
	foreign.Call(addTime, loop, 0, unix.CLOCK_MONOTONIC, at, 1, hostsuite.Handler(), key)
}

func open(t *testing.T) *hostsuite.Loop {
	t.Helper()
	if err := load(); err != nil {
		t.Fatal(err)
	}
	if err := loadMore(); err != nil {
		t.Fatal(err)
	}
	var loop uintptr
	if err := failed(foreign.Call(loopNew, uintptr(unsafe.Pointer(&loop)))); err != nil {
		t.Fatal(err)
	}
	destroy := sync.OnceFunc(func() { foreign.Call(loopUnref, loop) })
	t.Cleanup(destroy)
	return &hostsuite.Loop{
		Host:    func() (*foreign.Host, error) { return On(loop, 0) },
		Round:   func() { foreign.Call(loopRun, loop, ^uintptr(0)) },
		After:   func(d time.Duration, f func()) { after(loop, d, f) },
		Destroy: destroy,
		Faults:  true,
		Once:    true,
	}
}

func TestHost(t *testing.T) { hostsuite.Tests(t, open) }

func TestTheDefaultLoopOfAnotherThreadIsRefused(t *testing.T) {
	hosts := make(chan *foreign.Host)
	done := make(chan struct{})
	defer close(done)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		host, err := Default()
		if err != nil {
			t.Error(err)
			close(hosts)
			return
		}
		hosts <- host
		<-done
	}()
	host, ok := <-hosts
	if !ok {
		return
	}
	defer host.Close()
	l := executor.New(executor.Config{Host: host})
	if err := host.Attach(l); err != foreign.ErrWrongThread {
		t.Fatal(err)
	}
}
