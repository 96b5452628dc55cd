// SPDX-License-Identifier: Apache-2.0

package foreign

import (
	"runtime"
	"strings"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
	"golang.org/x/sys/unix"

	"github.com/pillion-dev/pillion/executor"
)

// thread is what the hosts of one thread share. It has one lock of the goroutine,
// however many hosts come and go, since coroutines count the locks.
type thread struct {
	id      int
	hosts   int
	turning bool // a turn of one of its executors is on the stack
}

var threads = struct {
	sync.Mutex
	of map[int]*thread
}{of: make(map[int]*thread)}

func enterThread() *thread {
	runtime.LockOSThread()
	threads.Lock()
	defer threads.Unlock()
	id := unix.Gettid()
	t := threads.of[id]
	if t == nil {
		t = &thread{id: id}
		threads.of[id] = t
	} else {
		runtime.UnlockOSThread()
	}
	t.hosts++
	return t
}

func (t *thread) leave() {
	threads.Lock()
	defer threads.Unlock()
	if t.hosts--; t.hosts == 0 {
		delete(threads.of, t.id)
		runtime.UnlockOSThread()
	}
}

func (t *thread) here() bool { return unix.Gettid() == t.id }

func (t *thread) turned() { t.turning = false }

// outermost fails unless the goroutine is outside of all callbacks.
func (t *thread) outermost() error {
	switch {
	case !t.here():
		return ErrWrongThread
	case t.turning || depth() > 0:
		return executor.ErrReentrant
	}
	return nil
}

// depth counts the callbacks on the stack. It can't see those under a coroutine that
// runs now: thread.turning tells of these.
func depth() int {
	n, _ := callbacks()
	return n
}

// staysHere reports whether the next callback on this thread will find the same thread of
// Go's. Those of a thread that C has made may not, unless a function of cgo's has entered
// Go there: it binds the two.
func staysHere() bool {
	_, bound := callbacks()
	return bound
}

func callbacks() (n int, bound bool) {
	pcs := make([]uintptr, 64)
	for got := runtime.Callers(0, pcs); got == len(pcs); got = runtime.Callers(0, pcs) {
		pcs = make([]uintptr, 2*got)
	}
	bound = true // from the innermost call to the outermost
	exported := false
	for _, pc := range pcs {
		f := runtime.FuncForPC(pc - 1)
		if f == nil {
			break
		}
		switch name := f.Name(); {
		case name == "runtime.cgocallbackg":
			n++
			bound, exported = exported, false
		case name == "runtime.cgocall":
			bound = true // Go has called the C that calls back
		case strings.HasPrefix(name, "_cgoexp_"):
			exported = true
		}
	}
	return n, bound
}

// callBack is a function of C's that calls its argument.
var callBack = sync.OnceValue(func() uintptr {
	return purego.NewCallback(func(f *func()) uintptr {
		(*f)()
		return 0
	})
})

// outside calls f, which may resume coroutines, at the depth of turns.
func (h *Host) outside(f func()) error {
	t := h.thread
	switch {
	case t == nil: // an Attach has failed
		f()
		return nil
	case !t.here():
		return ErrWrongThread
	}
	level := depth()
	if t.turning || level > 1 {
		return executor.ErrReentrant
	}
	t.turning = true
	defer t.turned()
	defer h.woken.Set() // the next turn finds out what lives
	if level == 1 {
		f()
		return nil
	}
	var panicked any
	call := func() {
		defer func() { panicked = recover() }()
		f()
	}
	Call(callBack(), uintptr(unsafe.Pointer(&call)))
	if panicked != nil {
		panic(panicked)
	}
	return nil
}
