// SPDX-License-Identifier: Apache-2.0

package future

import (
	"time"

	"github.com/pillion-dev/pillion/executor"
)

// Sleep is ready d after its first poll, counted from the time of that turn.
func Sleep(d time.Duration) *executor.Timer {
	t := new(executor.Timer)
	t.Reset(d)
	return t
}

// SleepUntil is ready once the executor's clock shows at, in nanoseconds. With
// [executor.Never] it is never ready.
func SleepUntil(at int64) *executor.Timer {
	t := new(executor.Timer)
	t.ResetAt(at)
	return t
}
