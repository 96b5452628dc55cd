// SPDX-License-Identifier: Apache-2.0

package poll_test

import (
	"context"
	"fmt"
	"time"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/future"
	"github.com/pillion-dev/pillion/executor/offload"
	"github.com/pillion-dev/pillion/foreign/poll"
)

func Example() {
	loop, err := poll.New()
	if err != nil {
		panic(err)
	}
	defer loop.Close()
	l := executor.New(executor.Config{Host: loop})
	defer l.Free()

	task, err := executor.Spawn(l, coro.New(func(co *coro.Co) (int, error) {
		if _, err := coro.Await(co, future.Sleep(time.Millisecond)); err != nil {
			return 0, err
		}
		return coro.Await(co, offload.Go(func(context.Context) (int, error) { return 42, nil }))
	}))
	if err != nil {
		panic(err)
	}
	if err := loop.Run(l); err != nil {
		panic(err)
	}
	fmt.Println(task.Result())
	// Output: 42 <nil>
}
