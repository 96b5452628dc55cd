// SPDX-License-Identifier: Apache-2.0

package carrier

import "sync/atomic"

// What an item is that calls no function, for [Out.Send].
const (
	Item       = -1
	ItemObject = -2 // its payload is a handle, 8 bytes in the machine's order
)

// Object is a value of Go's that the host has a handle of.
type Object struct {
	Value any
	Close func() error // for when nothing refers to it any more; nil: there is nothing to do
}

// Keeper gives the host handles of objects. No method waits.
type Keeper interface {
	// Keep makes a handle. The object is kept until the handle is dropped, and the calls have
	// ended that name it. Then its Close is called, in any goroutine.
	Keep(object *Object, class uint32) (handle uint64, err error)
	// Drop drops a handle that the host has never had.
	Drop(handle uint64)
}

var theKeeper atomic.Pointer[Keeper]

// SetKeeper makes k keep the objects that functions give.
func SetKeeper(k Keeper) { theKeeper.Store(&k) }

// CurrentKeeper is the latest of SetKeeper, or nil.
func CurrentKeeper() Keeper {
	if k := theKeeper.Load(); k != nil {
		return *k
	}
	return nil
}
