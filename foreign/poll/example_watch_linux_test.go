// SPDX-License-Identifier: Apache-2.0

package poll_test

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/watch"
	"github.com/pillion-dev/pillion/foreign/poll"
)

// A task awaits a descriptor: the loop watches it, and nothing else does.
func ExampleLoop_Watch() {
	loop, err := poll.New()
	if err != nil {
		panic(err)
	}
	defer loop.Close()
	l := executor.New(executor.Config{Host: loop})
	defer l.Free()
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		panic(err)
	}
	defer unix.Close(fd)

	executor.Spawn(l, coro.New(func(co *coro.Co) (struct{}, error) {
		var w executor.Watch
		if err := w.Open(co.Local(), fd, nil); err != nil {
			return struct{}{}, err
		}
		defer w.CloseLocal()
		events, err := coro.Await(co, w.Ready(watch.Readable))
		fmt.Println(events == watch.Readable, err)
		return struct{}{}, nil
	}))
	executor.Spawn(l, coro.New(func(co *coro.Co) (struct{}, error) {
		_, err := unix.Write(fd, []byte{1, 0, 0, 0, 0, 0, 0, 0})
		return struct{}{}, err
	}))
	if err := loop.Run(l); err != nil {
		panic(err)
	}
	// Output: true <nil>
}
