// SPDX-License-Identifier: Apache-2.0

package future

import (
	"slices"

	"github.com/pillion-dev/pillion/executor"
)

// Run spawns f on a pool and waits for its result. It blocks its goroutine, so don't
// call it in a task. It ignores an [executor.OnDone] among the options.
//
//	pool := executor.NewPool(executor.PoolConfig{})
//	err := pool.Start(runtime.GOMAXPROCS(0))
//	n, err := future.Run(pool, count)
//
// # Errors
//
// The task's, and those of [executor.Spawn].
func Run[T any](p *executor.Pool, f executor.Future[T], options ...executor.Option) (value T, err error) {
	done := make(chan struct{})
	var ended executor.OnDone[T] = func(v T, e error, _ executor.Outcome) {
		value, err = v, e
		close(done)
	}
	if _, err := executor.Spawn(p, f, append(slices.Clip(options), ended)...); err != nil {
		return value, err
	}
	<-done
	return value, err
}
