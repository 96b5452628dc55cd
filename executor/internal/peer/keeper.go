// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"errors"
	"sync"

	"github.com/pillion-dev/pillion/executor/carrier"
)

// Keeper is a [carrier.Keeper] for a test. Its handles are 1, 2, 3, …
type Keeper struct {
	mu      sync.Mutex
	last    uint64
	kept    map[uint64]*carrier.Object
	Classes []uint32 // of all that were kept
	Full    bool
}

// Keep implements [carrier.Keeper].
func (k *Keeper) Keep(object *carrier.Object, class uint32) (uint64, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.Full {
		return 0, errors.New("no room")
	}
	if k.kept == nil {
		k.kept = make(map[uint64]*carrier.Object)
	}
	k.last++
	k.kept[k.last] = object
	k.Classes = append(k.Classes, class)
	return k.last, nil
}

// Drop implements [carrier.Keeper]. It calls Close in this goroutine.
func (k *Keeper) Drop(handle uint64) {
	k.mu.Lock()
	object := k.kept[handle]
	delete(k.kept, handle)
	k.mu.Unlock()
	if object == nil {
		panic("a handle is dropped twice")
	}
	if object.Close != nil {
		_ = object.Close()
	}
}

// Object gives what a handle stands for, or nil.
func (k *Keeper) Object(handle uint64) *carrier.Object {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.kept[handle]
}

// Kept counts the objects that are not dropped.
func (k *Keeper) Kept() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.kept)
}
