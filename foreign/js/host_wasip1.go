// SPDX-License-Identifier: Apache-2.0

package js

import "runtime"

// own is the goroutine of a turn that doesn't count: the main one, which serves exports.
const own = 1

// pillionResume lets goroutines run, as resume does that Go's own glue for JavaScript calls.
// Go has no such export for WASI, and no way to wait there without blocking the host.
//
//go:wasmexport pillion_resume
func pillionResume() {
	for range 2 * runtime.NumGoroutine() {
		runtime.Gosched()
	}
}
