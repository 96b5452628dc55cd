// SPDX-License-Identifier: Apache-2.0

package executor_test

import (
	"fmt"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/future"
)

func ExamplePool() {
	pool := executor.NewPool(executor.PoolConfig{})
	if err := pool.Start(2); err != nil {
		panic(err)
	}
	square := func(n int) executor.Future[int] {
		return coro.New(func(co *coro.Co) (int, error) {
			return n * n, co.Yield()
		})
	}
	sum, err := future.Run(pool, coro.New(func(co *coro.Co) (sum int, err error) {
		var tasks []*executor.Task[int]
		for n := range 10 {
			task, err := executor.Spawn(pool, square(n))
			if err != nil {
				return 0, err
			}
			tasks = append(tasks, task)
		}
		for _, task := range tasks {
			n, err := coro.Await(co, task)
			if err != nil {
				return 0, err
			}
			sum += n
		}
		return sum, nil
	}))
	fmt.Println(sum, err)
	pool.Stop()
	fmt.Println(pool.Free())
	// Output:
	// 285 <nil>
	// <nil>
}
