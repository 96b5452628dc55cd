// SPDX-License-Identifier: Apache-2.0

package poll_test

import (
	"fmt"
	"time"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/future"
	"github.com/pillion-dev/pillion/foreign/poll"
)

// Coroutines on one thread, in a scope and with a limit on the time, and work that the
// goroutines of a pool share.
func Example_scope() {
	loop, _ := poll.New()
	defer loop.Close()
	l := executor.New(executor.Config{Host: loop})
	defer l.Free()
	pool := executor.NewPool(executor.PoolConfig{})
	defer pool.Free()
	pool.Start(2)
	defer pool.Stop()

	square := func(n int) executor.Future[int] {
		return future.Func[int](func(*executor.Context) (int, bool, error) { return n * n, true, nil })
	}
	task, _ := executor.Spawn(l, coro.New(func(co *coro.Co) (sum int, err error) {
		err = coro.WithScope(co, executor.ScopeConfig{}, func(s *executor.Scope) error {
			for n := range 4 {
				coro.Spawn(s, func(co *coro.Co) (int, error) {
					work, err := executor.Spawn(pool, square(n))
					if err != nil {
						return 0, err // the error ends the others, too
					}
					v, err := coro.Await(co, future.Timeout(time.Minute, work))
					sum += v
					return v, err
				})
			}
			return nil
		}) // all have ended here
		return sum, err
	}))
	loop.Run(l)
	fmt.Println(task.Result())
	// Output: 14 <nil>
}
