// SPDX-License-Identifier: Apache-2.0

package capi

// #include "wiring.h"
import "C"

import (
	"sync/atomic"
	"unsafe"
)

// ring is C's ring of submissions for the workers of one kind of calls. It implements
// [offload.Source].
type ring struct {
	d                    *dispatcher
	kind                 uint32
	head, tail, attended *atomic.Uint32
}

func newRing(d *dispatcher, kind uint32) *ring {
	return &ring{d, kind, word(C.pillion__ring_head()), word(C.pillion__ring_tail()), word(C.pillion__ring_attended())}
}

// Fetch takes submissions in the dispatcher's place. If another thread takes, it may
// have looked before the last submission came, so the goroutine looks once more.
func (r *ring) Fetch() {
	switch {
	case r.head.Load() == r.tail.Load():
	case r.d.mu.TryLock():
		r.d.take()
		r.d.mu.Unlock()
	default:
		C.pillion__ring_publish(C.PILLION__RING_URGENT)
	}
}

// Attend tells C the workers for which it need not write the descriptor.
func (r *ring) Attend(all bool) {
	if all {
		r.attended.Or(r.kind)
	} else {
		r.attended.And(^r.kind)
	}
}

// word is a word that C and Go share, and double a longer one.
func word(at *C.uint32_t) *atomic.Uint32   { return (*atomic.Uint32)(unsafe.Pointer(at)) }
func double(at *C.uint64_t) *atomic.Uint64 { return (*atomic.Uint64)(unsafe.Pointer(at)) }
