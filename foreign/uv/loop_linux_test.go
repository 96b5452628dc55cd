// SPDX-License-Identifier: Apache-2.0

package uv

import (
	"sync"
	"testing"
	"time"

	"github.com/pillion-dev/pillion/foreign"
	"github.com/pillion-dev/pillion/foreign/internal/kit"
)

func TestMain(m *testing.M) { kit.Main(m) }

func TestLoop(t *testing.T) {
	nests := map[string]string{kit.NestedCases: "libuv forbids a loop in a handler"}
	kit.Run(t, kit.Driver{Open: open, Once: true, Exempt: nests})
}

var loopSize, loopInit, loopClose, walk, backendTimeout uintptr

var loadMore = sync.OnceValue(func() error {
	if err := load(); err != nil {
		return err
	}
	return foreign.Load("libuv.so.1", map[string]*uintptr{
		"uv_loop_size": &loopSize, "uv_loop_init": &loopInit, "uv_loop_close": &loopClose,
		"uv_walk": &walk, "uv_backend_timeout": &backendTimeout,
	})
})

type testLoop struct {
	at, guard uintptr // the guard keeps it for a round: a descriptor of ours may not
	gone      bool
}

func open() (kit.Loop, error) {
	if err := loadMore(); err != nil {
		return nil, err
	}
	l := &testLoop{at: foreign.Call(allocate, 1, foreign.Call(loopSize))}
	err := failed(foreign.Call(loopInit, l.at))
	l.guard = newTimer(l.at)
	return l, err
}

func newTimer(loop uintptr) uintptr {
	handle := foreign.Call(allocate, 1, foreign.Call(handleSize, timer))
	foreign.Call(timerInit, loop, handle)
	return handle
}

func (l *testLoop) Host() (kit.Host, error) { return On(l.at) }

// In a round libuv runs timers, and waits afterwards, perhaps for nothing.
func (l *testLoop) Round(wait bool) {
	foreign.Call(updateTime, l.at)
	mode := uintptr(1) // UV_RUN_ONCE
	if !wait || int32(foreign.Call(backendTimeout, l.at)) == 0 {
		mode = 2 // UV_RUN_NOWAIT
	}
	foreign.Call(timerStart, l.guard, kit.Handler(), 100, 0)
	foreign.Call(run, l.at, mode)
	foreign.Call(timerStop, l.guard)
}

func (l *testLoop) RunOut() { foreign.Call(run, l.at, 0) } // UV_RUN_DEFAULT

func (l *testLoop) After(d time.Duration, f func()) {
	handle := newTimer(l.at)
	kit.Once(handle, func() {
		foreign.Call(closeHandle, handle, release)
		f()
	})
	foreign.Call(updateTime, l.at)
	foreign.Call(timerStart, handle, kit.Handler(), uintptr(d.Milliseconds()), 0)
}

func (l *testLoop) Readable(fd int, f func()) error {
	handle := foreign.Call(allocate, 1, foreign.Call(handleSize, poll))
	kit.Always(handle, f)
	foreign.Call(pollInit, l.at, handle, uintptr(fd))
	return failed(foreign.Call(pollStart, handle, 1, kit.Handler()))
}

func (l *testLoop) Destroy() {
	if l.gone {
		return
	}
	l.gone = true
	foreign.Call(run, l.at, 2) // those that are closing
	foreign.Call(walk, l.at, closeHandle, 0)
	l.RunOut()
	if r := foreign.Call(loopClose, l.at); int32(r) != 0 {
		panic(failed(r))
	}
}
