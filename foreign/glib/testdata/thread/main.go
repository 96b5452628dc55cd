// SPDX-License-Identifier: Apache-2.0

// A library in Go for threads that C has made: each runs a GMainLoop of its own.
package main

import "C"

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ebitengine/purego"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/future"
	"github.com/pillion-dev/pillion/executor/offload"
	"github.com/pillion-dev/pillion/foreign"
	"github.com/pillion-dev/pillion/foreign/glib"
)

const (
	tasks = 3
	steps = 50
)

var (
	hosts sync.Map // by loop
	quit  uintptr
	load  = sync.OnceValue(func() error {
		return foreign.Load("libglib-2.0.so.0", map[string]*uintptr{"g_main_loop_quit": &quit})
	})
)

// begin attaches an executor to the thread's loop, with tasks that end the loop when the
// last of them is done.
func begin(context, loop uintptr) error {
	if err := load(); err != nil {
		return err
	}
	host, err := glib.On(context, glib.PriorityDefault)
	if err != nil {
		return err
	}
	l := executor.New(executor.Config{Host: host})
	if err := host.Attach(l); err != nil {
		return errors.Join(err, host.Close())
	}
	hosts.Store(loop, host)
	left := tasks
	for range tasks {
		if _, err := executor.Spawn(l, body(), executor.OnDone[int](func(n int, err error, _ executor.Outcome) {
			if left--; left == 0 || n != steps || err != nil {
				foreign.Call(quit, loop)
			}
		})); err != nil {
			return err
		}
	}
	return nil
}

func body() executor.Future[int] {
	return coro.New(func(co *coro.Co) (n int, err error) {
		for range steps {
			if _, err := coro.Await(co, future.Sleep(50*time.Microsecond)); err != nil {
				return n, err
			}
			one, err := coro.Await(co, offload.Go(func(context.Context) (int, error) { return 1, nil }))
			if err != nil {
				return n, err
			}
			n += one
		}
		return n, nil
	})
}

func answer(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, foreign.ErrWrongThread):
		return 1
	}
	return 2
}

//export attach
func attach(context, loop uintptr) int { return answer(begin(context, loop)) }

//export detach
func detach(loop uintptr) int {
	host, ok := hosts.LoadAndDelete(loop)
	if !ok || host.(*foreign.Host).Err() != nil {
		return 2
	}
	return answer(host.(*foreign.Host).Close())
}

// no_export gives attach as a function that cgo doesn't export.
//
//export no_export
func no_export() uintptr {
	return purego.NewCallback(func(context, loop uintptr) uintptr { return uintptr(answer(begin(context, loop))) })
}

func main() {}
