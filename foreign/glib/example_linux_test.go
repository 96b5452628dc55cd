// SPDX-License-Identifier: Apache-2.0

package glib_test

import (
	"context"
	"fmt"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/offload"
	"github.com/pillion-dev/pillion/foreign/glib"
)

// A coroutine runs on the thread of GLib's loop, and awaits a goroutine.
func ExampleDefault() {
	host, err := glib.Default()
	if err != nil {
		panic(err)
	}
	defer host.Close()
	l := executor.New(executor.Config{Host: host})
	if err := host.Attach(l); err != nil {
		panic(err)
	}
	task, err := executor.Spawn(l, coro.New(func(co *coro.Co) (int, error) {
		return coro.Await(co, offload.Go(func(context.Context) (int, error) { return 42, nil }))
	}))
	if err != nil {
		panic(err)
	}
	if err := host.Run(); err != nil { // or g_main_loop_run, g_application_run
		panic(err)
	}
	fmt.Println(task.Result())
	// Output: 42 <nil>
}
