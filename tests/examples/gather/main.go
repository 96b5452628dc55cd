// SPDX-License-Identifier: Apache-2.0

// Gather prints how long some files are together. It reads them side by side, within
// a second, on one thread's loop.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/future"
	"github.com/pillion-dev/pillion/executor/offload"
	"github.com/pillion-dev/pillion/foreign/channel"
)

func length(name string) executor.Future[int] {
	return offload.Go(func(context.Context) (int, error) {
		data, err := os.ReadFile(name) // blocks a worker, not the loop
		return len(data), err
	})
}

func gather(names []string) executor.Future[int] {
	return coro.New(func(co *coro.Co) (sum int, err error) {
		tasks := make([]*executor.Task[int], len(names))
		err = coro.WithScope(co, executor.ScopeConfig{Limit: 8}, func(s *executor.Scope) error {
			for i, name := range names {
				tasks[i], err = executor.Spawn(s, future.Timeout(time.Second, length(name)))
				if err != nil {
					return err
				}
			}
			return nil
		}) // all have ended here; the first error has cancelled the others
		for _, t := range tasks {
			n, _ := t.Result()
			sum += n
		}
		return sum, err
	})
}

func main() {
	loop := channel.New()
	l := executor.New(executor.Config{Host: loop})
	defer l.Free()
	task, err := executor.Spawn(l, gather(os.Args[1:]))
	if err != nil {
		panic(err)
	}
	if err := loop.Run(l); err != nil {
		panic(err)
	}
	fmt.Println(task.Result())
}
