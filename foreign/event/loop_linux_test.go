// SPDX-License-Identifier: Apache-2.0

package event

import (
	"sync"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/pillion-dev/pillion/executor/watch"
	"github.com/pillion-dev/pillion/foreign"
	"github.com/pillion-dev/pillion/foreign/internal/kit"
)

func TestMain(m *testing.M) { kit.Main(m) }

func TestLoop(t *testing.T) {
	kit.Run(t, kit.Driver{
		Open:  open,
		Lacks: watch.Priority | watch.Fault,
		Exempt: map[string]string{
			kit.NestedCases:            "libevent forbids a loop in a handler",
			"urgent_data_has_priority": "libevent tells of no priority events",
		},
	})
}

var baseOnce uintptr

var loadMore = sync.OnceValue(func() error {
	if err := load(); err != nil {
		return err
	}
	return foreign.Load("libevent_core-2.1.so.7", map[string]*uintptr{"event_base_once": &baseOnce})
})

type testLoop struct {
	base uintptr
	gone bool
}

func open() (kit.Loop, error) {
	if err := loadMore(); err != nil {
		return nil, err
	}
	base := foreign.Call(baseNew)
	if base == 0 {
		return nil, ErrRefused
	}
	return &testLoop{base: base}, nil
}

func (l *testLoop) Host() (kit.Host, error) { return On(l.base) }

func (l *testLoop) Round(wait bool) {
	flags := uintptr(loopOnce)
	if !wait {
		flags = 2 // EVLOOP_NONBLOCK
	}
	foreign.Call(baseLoop, l.base, flags)
}

func (l *testLoop) After(d time.Duration, f func()) {
	key := kit.Key()
	kit.Once(key, f)
	wait := unix.NsecToTimeval(int64(d))
	foreign.Call(baseUpdateTime, l.base)
	foreign.Call(baseOnce, l.base, ^uintptr(0), 1, kit.Handler(), key, uintptr(unsafe.Pointer(&wait)))
}

func (l *testLoop) Readable(fd int, f func()) error {
	key := kit.Key()
	kit.Always(key, f)
	event := foreign.Call(allocate, 1, foreign.Call(eventSize))
	foreign.Call(eventAssign, event, l.base, uintptr(fd), evRead|evPersist, kit.Handler(), key)
	return failed(foreign.Call(eventAdd, event, 0))
}

func (l *testLoop) Destroy() {
	if !l.gone {
		l.gone = true
		foreign.Call(baseFree, l.base)
	}
}
