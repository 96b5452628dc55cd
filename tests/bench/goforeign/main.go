// SPDX-License-Identifier: Apache-2.0

// Goforeign measures a wake of a sleeping loop of C's by another goroutine, and the way
// back over a channel: by a task's waker, or by g_main_context_invoke and uv_async_send.
package main

import (
	"encoding/json"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/ebitengine/purego"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/future"
	"github.com/pillion-dev/pillion/foreign"
	"github.com/pillion-dev/pillion/foreign/glib"
	"github.com/pillion-dev/pillion/foreign/uv"
)

const longEnough = 300 * time.Millisecond

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// hops is how long one takes. The loop's goroutine answers each wake with a word.
func hops(wake func(), back <-chan struct{}) float64 {
	var start time.Time
	n := -1000
	for ; n <= 0 || time.Since(start) < longEnough; n++ {
		if n == 0 {
			start = time.Now()
		}
		wake()
		<-back
	}
	return float64(time.Since(start).Nanoseconds()) / float64(n)
}

func ours(host *foreign.Host) (result float64) {
	l := executor.New(executor.Config{Host: host})
	check(host.Attach(l))
	back, wakers := make(chan struct{}, 1), make(chan executor.Waker, 1)
	polls := 0
	task, err := executor.Spawn(l, future.Func[int](func(cx *executor.Context) (int, bool, error) {
		if polls++; polls == 1 {
			wakers <- cx.Waker()
		} else {
			back <- struct{}{}
		}
		return 0, false, nil
	}))
	check(err)
	go func() {
		waker := <-wakers
		result = hops(func() { waker.Wake() }, back)
		task.Cancel()
	}()
	check(host.Run())
	check(host.Close())
	return result
}

// theirs runs rounds of the loop until the other goroutine has measured.
func theirs(wake, round func(), back <-chan struct{}) (result float64) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var done atomic.Bool
	go func() {
		result = hops(wake, back)
		done.Store(true)
		wake()
	}()
	for !done.Load() {
		round()
	}
	return result
}

// callback answers a word. Its result takes GLib's source away.
func callback(back chan<- struct{}) uintptr {
	return purego.NewCallback(func(uintptr) uintptr {
		back <- struct{}{}
		return 0
	})
}

func invoke() float64 {
	var acquire, invoke, iteration uintptr
	check(foreign.Load("libglib-2.0.so.0", map[string]*uintptr{
		"g_main_context_acquire":   &acquire,
		"g_main_context_invoke":    &invoke,
		"g_main_context_iteration": &iteration,
	}))
	back := make(chan struct{}, 2)
	answer := callback(back)
	runtime.LockOSThread()
	foreign.Call(acquire, 0) // or the other thread calls the function itself
	return theirs(func() { foreign.Call(invoke, 0, answer, 0) },
		func() { foreign.Call(iteration, 0, 1) }, back)
}

func async() float64 {
	var loop, run, init, send, calloc uintptr
	check(foreign.Load("libuv.so.1", map[string]*uintptr{
		"uv_default_loop": &loop, "uv_run": &run, "uv_async_init": &init, "uv_async_send": &send,
	}))
	check(foreign.Load("libc.so.6", map[string]*uintptr{"calloc": &calloc}))
	back := make(chan struct{}, 2)
	handle, at := foreign.Call(calloc, 1, 1024), foreign.Call(loop)
	foreign.Call(init, at, handle, callback(back))
	return theirs(func() { foreign.Call(send, handle) },
		func() { foreign.Call(run, at, 1) }, back)
}

func main() {
	var value float64
	switch os.Args[1] {
	case "invoke":
		value = invoke()
	case "async":
		value = async()
	case "glib":
		host, err := glib.Default()
		check(err)
		value = ours(host)
	case "uv":
		host, err := uv.Default()
		check(err)
		value = ours(host)
	}
	check(json.NewEncoder(os.Stdout).Encode(map[string]float64{"hop": value}))
}
