// SPDX-License-Identifier: Apache-2.0

package js

import (
	"runtime"
	"time"
	"unsafe"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/coro"
)

//go:wasmimport pillion wake
func wake()

//go:wasmexport pillion_page
func pillionPage() uint32 { return uint32(uintptr(unsafe.Pointer(describe()))) }

//go:wasmexport pillion_room
func pillionRoom(used, size uint32) { grow(used, size) }

//go:wasmexport pillion_turn
func pillionTurn(length, polls uint32, milliseconds float64) {
	turn(length, executor.Budget{MaxPolls: int(polls), MaxTime: time.Duration(milliseconds * 1e6)})
}

// runnable reports whether there are goroutines that may wait to run.
func runnable() bool {
	return runtime.NumGoroutine() > own+coro.Suspended(local)+coro.Idle(local)+coro.Lost(local)
}
