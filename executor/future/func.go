// SPDX-License-Identifier: Apache-2.0

package future

import "github.com/pillion-dev/pillion/executor"

// Func makes a function an [executor.Future].
type Func[T any] func(cx *executor.Context) (T, bool, error)

// Poll calls f.
func (f Func[T]) Poll(cx *executor.Context) (T, bool, error) { return f(cx) }

// Drop drops a future if it is an [executor.Dropper]. Code that polls a future itself,
// instead of spawning it, must call it.
func Drop(future any) {
	if d, ok := future.(executor.Dropper); ok {
		d.Drop()
	}
}
