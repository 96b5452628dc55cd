// SPDX-License-Identifier: Apache-2.0

package capi

// #include "wiring.h"
import "C"

import "runtime"

// pillion__go_serve lends a pool n goroutines. Each is locked to its thread and
// stays in one call into C, so that Go's scheduler has nothing to do with its
// turns and its sleep.
//
//export pillion__go_serve
func pillion__go_serve(pool, stops C.uint64_t, n C.uint32_t) {
	defer contain(nil)
	for range n {
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			C.pillion__pool_serve(pool, stops)
		}()
	}
}
