// SPDX-License-Identifier: Apache-2.0

package glib

import (
	"sync"
	"testing"
	"time"

	"github.com/pillion-dev/pillion/foreign"
	"github.com/pillion-dev/pillion/foreign/internal/kit"
)

func TestMain(m *testing.M) { kit.Main(m) }

func TestLoop(t *testing.T) {
	kit.Run(t, kit.Driver{Open: open, Files: true})
}

var contextNew, timeoutSourceNew, fdSourceNew, sourceSetCallback uintptr

var loadMore = sync.OnceValue(func() error {
	if err := load(); err != nil {
		return err
	}
	return foreign.Load("libglib-2.0.so.0", map[string]*uintptr{
		"g_main_context_new":    &contextNew,
		"g_timeout_source_new":  &timeoutSourceNew,
		"g_unix_fd_source_new":  &fdSourceNew,
		"g_source_set_callback": &sourceSetCallback,
	})
})

type testLoop struct {
	context uintptr
	gone    bool
}

func open() (kit.Loop, error) {
	if err := loadMore(); err != nil {
		return nil, err
	}
	return &testLoop{context: foreign.Call(contextNew)}, nil
}

func (l *testLoop) Host() (kit.Host, error) { return On(l.context, PriorityDefault) }

func (l *testLoop) Round(wait bool) {
	may := uintptr(0)
	if wait {
		may = 1
	}
	foreign.Call(contextIteration, l.context, may)
}

func (l *testLoop) add(source, key uintptr) {
	foreign.Call(sourceSetCallback, source, kit.Handler(), key, 0)
	foreign.Call(sourceAttach, source, l.context)
	foreign.Call(sourceUnref, source)
}

func (l *testLoop) After(d time.Duration, f func()) {
	key := kit.Key()
	kit.Once(key, f)
	l.add(foreign.Call(timeoutSourceNew, uintptr(d.Milliseconds())), key)
}

func (l *testLoop) Readable(fd int, f func()) error {
	key := kit.Key()
	kit.Always(key, f)
	l.add(foreign.Call(fdSourceNew, uintptr(fd), 1), key) // G_IO_IN
	return nil
}

func (l *testLoop) Destroy() {
	if !l.gone {
		l.gone = true
		foreign.Call(contextUnref, l.context)
	}
}
