// SPDX-License-Identifier: Apache-2.0

// Package future makes futures. [Sleep] and [Interval] wait, a [Promise] is completed by
// other code, and a [Func] is a function. [Join2], [All], [Race] and [First] await
// several futures in one task, [Timeout] and [Deadline] end one that is late, and
// [Scoped] runs one in a scope. [Run] waits for one without being a task. The package
// uses only the public side of package executor, so programs can make more of this kind.
package future

import (
	"slices"

	"github.com/pillion-dev/pillion/executor"
)

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
