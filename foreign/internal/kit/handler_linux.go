// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"sync"
	"sync/atomic"

	"github.com/ebitengine/purego"

	"github.com/pillion-dev/pillion/foreign"
)

// handlers has the functions that the loops' own timers and descriptors call.
var handlers sync.Map

// Handler is the callback of a loop's own timer or descriptor. It calls the function that
// [Handle] got a key for, which is the first argument, the third or the fourth.
var Handler = sync.OnceValue(func() uintptr {
	return purego.NewCallback(func(first, _, third, fourth uintptr) uintptr {
		for _, key := range [...]uintptr{first, third, fourth} {
			if f, ok := handlers.Load(key); ok {
				return f.(func() uintptr)()
			}
		}
		return 0
	})
})

// Once makes f known to [Handler], for one call.
func Once(key uintptr, f func()) {
	handlers.Store(key, func() uintptr {
		handlers.Delete(key)
		f()
		return 0 // G_SOURCE_REMOVE
	})
}

// Always makes f known to [Handler], for all calls.
func Always(key uintptr, f func()) {
	handlers.Store(key, func() uintptr {
		f()
		return 1 // G_SOURCE_CONTINUE
	})
}

var keys atomic.Uintptr

// Key makes a key, which is no pointer or descriptor.
func Key() uintptr { return 1<<48 + keys.Add(1) }

// inHandler calls f in a Go handler, as C calls one.
func inHandler(f func()) {
	key := Key()
	Once(key, f)
	foreign.Call(Handler(), key, 0, 0, 0)
}
