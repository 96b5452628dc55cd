// SPDX-License-Identifier: Apache-2.0

package cell

import "sync"

// Arena is documented in package carrier.
type Arena interface {
	Lease() (base uint32, cells []Cell, err error)
	Return(base uint32)
}

// arena is the one of the process, and fixed once it is used.
var arena struct {
	mu   sync.Mutex
	from Arena
	used bool
}

// SetArena is documented in package carrier.
func SetArena(a Arena) bool {
	arena.mu.Lock()
	defer arena.mu.Unlock()
	if !arena.used {
		arena.from = a
	}
	return !arena.used
}

// UseArena fixes the arena of the process: the one that was set, or else another.
func UseArena(another Arena) Arena {
	arena.mu.Lock()
	defer arena.mu.Unlock()
	if arena.from == nil {
		arena.from = another
	}
	arena.used = true
	return arena.from
}
