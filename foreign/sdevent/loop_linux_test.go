// SPDX-License-Identifier: Apache-2.0

package sdevent

import (
	"sync"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/pillion-dev/pillion/foreign"
	"github.com/pillion-dev/pillion/foreign/internal/kit"
)

func TestMain(m *testing.M) { kit.Main(m) }

func TestLoop(t *testing.T) {
	kit.Run(t, kit.Driver{
		Open: open,
		Once: true,
		Exempt: map[string]string{
			kit.NestedCases: "sd-event forbids a loop in a handler",
		},
	})
}

var loopNew uintptr

var loadMore = sync.OnceValue(func() error {
	if err := load(); err != nil {
		return err
	}
	return foreign.Load("libsystemd.so.0", map[string]*uintptr{"sd_event_new": &loopNew})
})

type testLoop struct {
	at   uintptr
	gone bool
}

func open() (kit.Loop, error) {
	if err := loadMore(); err != nil {
		return nil, err
	}
	l := &testLoop{}
	return l, failed(foreign.Call(loopNew, uintptr(unsafe.Pointer(&l.at))))
}

func (l *testLoop) Host() (kit.Host, error) { return On(l.at, 0) }

func (l *testLoop) Round(wait bool) {
	most := ^uintptr(0)
	if !wait {
		most = 0
	}
	foreign.Call(loopRun, l.at, most)
}

func (l *testLoop) After(d time.Duration, f func()) {
	key := kit.Key()
	kit.Once(key, f)
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	at := uintptr(now.Nano()+int64(d)) / 1000
	foreign.Call(addTime, l.at, 0, unix.CLOCK_MONOTONIC, at, 1, kit.Handler(), key)
}

func (l *testLoop) Readable(fd int, f func()) error {
	key := kit.Key()
	kit.Always(key, f)
	return failed(foreign.Call(addIO, l.at, 0, uintptr(fd), 1, kit.Handler(), key)) // EPOLLIN
}

func (l *testLoop) Destroy() {
	if !l.gone {
		l.gone = true
		foreign.Call(loopUnref, l.at)
	}
}
