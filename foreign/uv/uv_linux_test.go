// SPDX-License-Identifier: Apache-2.0

package uv

import (
	"sync"
	"testing"
	"time"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/future"
	"github.com/pillion-dev/pillion/foreign"
	"github.com/pillion-dev/pillion/foreign/internal/hostsuite"
	"github.com/pillion-dev/pillion/foreign/internal/suite"
)

func TestMain(m *testing.M) { suite.Main(m) }

var loopSize, loopInit, loopClose, walk uintptr

var loadMore = sync.OnceValue(func() error {
	return foreign.Load("libuv.so.1", map[string]*uintptr{
		"uv_loop_size":  &loopSize,
		"uv_loop_init":  &loopInit,
		"uv_loop_close": &loopClose,
		"uv_walk":       &walk,
	})
})

func after(loop uintptr, d time.Duration, f func()) {
	handle := foreign.Call(allocate, 1, foreign.Call(handleSize, timer))
	foreign.Call(timerInit, loop, handle)
	hostsuite.Handle(handle, func() {
		foreign.Call(closeHandle, handle, release)
		f()
	})
	foreign.Call(updateTime, loop)
	foreign.Call(timerStart, handle, hostsuite.Handler(), uintptr(d.Milliseconds()), 0)
}

func open(t *testing.T) *hostsuite.Loop {
	t.Helper()
	if err := load(); err != nil {
		t.Fatal(err)
	}
	if err := loadMore(); err != nil {
		t.Fatal(err)
	}
	loop := foreign.Call(allocate, 1, foreign.Call(loopSize))
	foreign.Call(loopInit, loop)
	destroy := sync.OnceFunc(func() {
		foreign.Call(walk, loop, closeHandle, 0)
		foreign.Call(run, loop, 0) // UV_RUN_DEFAULT
		if r := foreign.Call(loopClose, loop); int32(r) != 0 {
			t.Error("uv_loop_close:", failed(r))
		}
		foreign.Call(release, loop)
	})
	t.Cleanup(func() {
		foreign.Call(run, loop, 0) // the handles that the hosts have closed
		destroy()
	})
	return &hostsuite.Loop{
		Host:    func() (*foreign.Host, error) { return On(loop) },
		Round:   func() { foreign.Call(run, loop, 1) }, // UV_RUN_ONCE
		After:   func(d time.Duration, f func()) { after(loop, d, f) },
		Destroy: destroy,
		Faults:  true,
		Once:    true,
	}
}

func TestHost(t *testing.T) { hostsuite.Tests(t, open) }

// A spawn in a handler keeps the loop, which ends when nothing lives any more.
func TestTheLoopEndsWhenNothingLives(t *testing.T) {
	if err := load(); err != nil {
		t.Fatal(err)
	}
	loop := foreign.Call(defaultLoop)
	host, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	l := executor.New(executor.Config{Host: host})
	if err := host.Attach(l); err != nil {
		t.Fatal(err)
	}
	foreign.Call(run, loop, 0)
	var tasks []*executor.Task[struct{}]
	for range 3 {
		after(loop, time.Millisecond, func() {
			task, _ := executor.Spawn(l, future.Sleep(time.Millisecond))
			tasks = append(tasks, task)
		})
		foreign.Call(run, loop, 0)
	}
	for _, task := range tasks {
		if !task.Done() {
			t.Fatal("the loop has ended before it")
		}
	}
	if err := host.Close(); err != nil || len(tasks) != 3 {
		t.Fatal(err)
	}
	foreign.Call(run, loop, 0)
	if r := foreign.Call(loopClose, loop); int32(r) != 0 {
		t.Fatal(failed(r))
	}
}
