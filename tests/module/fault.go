// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/export"
)

func init() {
	export.Func("test.fault", func(context.Context, []byte) ([]byte, error) { return fault(nil), nil },
		export.Doc("Reads from address 0: SIGSEGV becomes a panic."))
	export.Loop("test.loop_fault", func(*coro.Co, []byte) ([]byte, error) { return fault(nil), nil })
	export.Loop("test.loop_defer_fault", func(co *coro.Co, _ []byte) ([]byte, error) {
		waiting.Add(1)
		defer waiting.Add(-1)
		defer func() {
			defer func() {
				if recover() != nil {
					deferred.Add(1)
				}
			}()
			fault(nil)
		}()
		return coro.Await(co, executor.Future[[]byte](never{}))
	}, export.Doc("Waits for its cancel, then reads from address 0 in a defer, which counts itself."))
}

//go:noinline
func fault(at *byte) []byte { return []byte{*at} }
