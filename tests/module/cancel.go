// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/export"
)

var deferred, dropped atomic.Int64

// counted is never ready, and counts its end.
type counted struct{ never }

func (counted) Drop() { dropped.Add(1) }

func init() {
	export.Loop("test.loop_defer", func(co *coro.Co, _ []byte) ([]byte, error) {
		waiting.Add(1)
		defer waiting.Add(-1)
		defer deferred.Add(1)
		return coro.Await(co, executor.Future[[]byte](counted{}))
	}, export.Doc("Awaits what counts its drop, with a defer that counts itself."))
	export.Func("test.ended", func(context.Context, []byte) (string, error) {
		return fmt.Sprint(deferred.Load(), " ", dropped.Load()), nil
	}, export.Doc("Tells how many defers and drops test.loop_defer has had."))
	export.Loop("test.loop_spawn", func(co *coro.Co, _ []byte) ([]byte, error) {
		task, err := executor.Spawn(co.Local(), coro.New(func(co *coro.Co) ([]byte, error) {
			return []byte("spawned"), co.Yield()
		}))
		if err != nil {
			return nil, err
		}
		return coro.Await(co, task)
	}, export.Doc("Spawns a task of Go's and awaits it."))
}
