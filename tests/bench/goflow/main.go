// SPDX-License-Identifier: Apache-2.0

// What an item costs beside a call's end: Go publishes a hundred, and then turns of the
// host take them as events. Both are timed, and what lies between is not.
//
//	goflow completion|item|cgo|yield LENGTH
//
// completion  the end of a call, from Go's last step to the event. Its submission and
//
//	Go's workers are left out: the program plays a worker
//
// item        an item, as the functions of package export send it
// cgo         the same by a call into C, however long it is
// yield       an item that an export.Stream yields
//
//	goflow idle WINDOW
//
// Prints the nanoseconds of one, or what a stream without items takes of C's memory.
package main

// #cgo CFLAGS: -std=c11 -D_GNU_SOURCE -O2 -I${SRCDIR}/../../../capi -I${SRCDIR}/../../../capi/core -I${SRCDIR}/../../../include
// #include "goflow.h"
import "C"

import (
	"context"
	"fmt"
	"iter"
	"os"
	"runtime"
	"strconv"
	"time"
	"unsafe"

	_ "github.com/pillion-dev/pillion/capi"
	"github.com/pillion-dev/pillion/executor/carrier"
	"github.com/pillion-dev/pillion/executor/export"
)

const burst = 100

var (
	opened = make(chan carrier.Out)
	bursts = make(chan []byte)
	took   = make(chan time.Duration)
)

func init() {
	export.Func("bench.call", func(context.Context, []byte) ([]byte, error) { return nil, nil })
	export.Stream("bench.items", func(ctx context.Context, _ []byte) iter.Seq2[[]byte, error] {
		return func(yield func([]byte, error) bool) {
			opened <- carrier.CallOf(ctx).Out()
			for payload := range bursts {
				time.Sleep(50 * time.Microsecond) // the loop's thread sleeps by then
				took <- timed(func() {
					for range burst {
						yield(payload, nil)
					}
				})
			}
		}
	})
}

func timed(work func()) time.Duration {
	start := time.Now()
	work()
	return time.Since(start)
}

func try(rc C.int) {
	if rc < 0 {
		panic(C.GoString(C.pillion_strerror(rc)))
	}
}

var ex C.pillion_executor

// submit makes calls of a function.
func submit(name string, calls int, credit C.uint32_t) (task C.pillion_task) {
	var f C.pillion_function
	text := C.CString(name)
	defer C.free(unsafe.Pointer(text))
	try(C.pillion_function_find(&f, text))
	for range calls {
		try(C.bench_submit(&task, ex, f, credit))
	}
	return task
}

// measure gives the nanoseconds of one.
func measure(before func(), publish func() time.Duration, after func()) float64 {
	events := (*C.pillion_event)(C.calloc(burst, C.sizeof_pillion_event))
	take := func() {
		if n := C.bench_take(ex, events, burst); n != burst {
			panic(fmt.Sprint("events: ", n))
		}
	}
	var spent time.Duration
	rounds := -10 // they don't count
	for ; spent < 150*time.Millisecond; rounds++ {
		before()
		if d := publish() + timed(take); rounds >= 0 {
			spent += d
		}
		after()
	}
	return float64(spent.Nanoseconds()) / float64(rounds*burst)
}

func completions(at C.uintptr_t, length C.uint64_t) float64 {
	jobs := unsafe.Slice((*C.struct_pillion__job)(C.calloc(burst, C.sizeof_struct_pillion__job)), burst)
	return measure(func() {
		submit("bench.call", burst, 0)
		try(C.bench_take_up(&jobs[0], burst))
	}, func() time.Duration {
		return timed(func() {
			for i := range jobs {
				C.pillion__complete(C.uintptr_t(uintptr(unsafe.Pointer(jobs[i].call))), 0, 0, at, length)
			}
		})
	}, func() {})
}

func items(publish func(carrier.Out, C.uintptr_t) time.Duration) float64 {
	task := submit("bench.items", 1, 128)
	out, flow := <-opened, C.uintptr_t(uintptr(unsafe.Pointer(C.bench_flow(task))))
	return measure(func() {}, func() time.Duration { return publish(out, flow) },
		func() { C.pillion_call_credit(task, burst) })
}

// idle gives the bytes of a stream.
func idle(window C.uint32_t) {
	const streams = 4096 // in whole chunks of nodes
	C.bench_without_workers()
	try(C.bench_start_counting())
	try(C.pillion_executor_new(&ex, nil, nil, 0))
	before := C.bench_used()
	submit("bench.items", streams, window)
	fmt.Printf("{\"bytes\": %d}\n", (C.bench_used()-before)/streams)
}

func main() {
	runtime.LockOSThread()
	length, err := strconv.Atoi(os.Args[2])
	if err != nil {
		panic(err)
	}
	if os.Args[1] == "idle" {
		idle(C.uint32_t(length))
		return
	}
	payload := make([]byte, length)
	at := C.uintptr_t(uintptr(unsafe.Pointer(unsafe.SliceData(payload))))
	C.bench_keep_memory()
	if os.Args[1] == "completion" {
		C.bench_without_workers()
	}
	try(C.pillion_executor_new(&ex, nil, nil, 0))
	var ns float64
	switch os.Args[1] {
	case "completion":
		ns = completions(at, C.uint64_t(length))
	case "item":
		ns = items(func(out carrier.Out, _ C.uintptr_t) time.Duration {
			return timed(func() {
				for range burst {
					if err := out.Send(-1, payload); err != nil {
						panic(err)
					}
				}
			})
		})
	case "cgo":
		ns = items(func(_ carrier.Out, flow C.uintptr_t) time.Duration {
			return timed(func() {
				for range burst {
					try(C.pillion__send(flow, -1, at, C.uint64_t(length)))
				}
			})
		})
	case "yield":
		ns = items(func(carrier.Out, C.uintptr_t) time.Duration {
			bursts <- payload
			return <-took
		})
	}
	fmt.Printf("{\"ns\": %.2f}\n", ns)
}
