// SPDX-License-Identifier: Apache-2.0

package capi

// #include "wiring.h"
import "C"

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pillion-dev/pillion/executor/export"
	"github.com/pillion-dev/pillion/executor/offload"
)

// dispatcher takes submissions from C and hands them to workers. Its goroutine sleeps
// in Go's netpoller, on a descriptor that C writes once a burst. Workers that rest take
// submissions in its place.
type dispatcher struct {
	wakeup *os.File // nonblocking, so that a read parks only the goroutine
	ended  chan struct{}

	blocking, cpu *offload.Pool
	dead          *atomic.Uint32 // not 0 while there are objects to bury

	mu                sync.Mutex // held by the taker
	toBlocking, toCPU []offload.Job
	jobs              []C.struct_pillion__job // C's: cgo looks through Go memory at every call
}

// A start after a shutdown replaces current; C lets only one dispatcher run.
var current atomic.Pointer[dispatcher]

var parkedForGood atomic.Uint64 // goroutines that called Goexit on a loop

func startDispatcher() (C.int, error) {
	d := &dispatcher{
		wakeup: os.NewFile(uintptr(C.pillion__ring_fd_take()), "pillion"),
		ended:  make(chan struct{}),
		jobs:   C.pillion__jobs[:],
		dead:   word(C.pillion__objects_dead()),
	}
	d.blocking = offload.NewPoolFrom(newRing(d, C.PILLION__RING_OFFLOAD), boundThreads())
	d.cpu = offload.NewPoolFrom(newRing(d, C.PILLION__RING_CPU), processors())
	// A file that the netpoller did not take fails only at its first use.
	if err := d.wakeup.SetDeadline(time.Time{}); err != nil {
		d.wakeup.Close()
		return C.PILLION_ESYSTEM, fmt.Errorf("Go cannot watch its descriptor: %w", err)
	}
	current.Store(d)
	go d.run()
	return 0, nil
}

// stopDispatcher runs when no job is left and the ring is closed.
func stopDispatcher() {
	d := current.Swap(nil)
	if d == nil {
		return
	}
	<-d.ended
	d.blocking.Close()
	d.cpu.Close()
	d.wakeup.Close()
}

// boundThreads gives the number of workers that may block at a time: the calls'
// workers, those of offloads by Go functions, and as many of either's CPU-bound jobs
// that are away. It raises the number of threads at which Go ends the process above
// that.
func boundThreads() int {
	if n := int(C.pillion__max_workers); n > 0 {
		offload.Blocking().SetLimit(n)
	}
	limit := offload.Blocking().Limit()
	if most := 4*limit + 2000; most > 10000 {
		debug.SetMaxThreads(max(most, debug.SetMaxThreads(most)))
	}
	return limit
}

// processors gives the number of calls that may compute at a time: Go's processors.
// From here on Go has one more, so that the dispatcher, and a loop's thread that enters
// Go, find one. A GOMAXPROCS of the user's stays.
var processors = sync.OnceValue(func() int {
	n := runtime.GOMAXPROCS(0)
	offload.CPUBound().SetLimit(n)
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(n + 1)
	}
	return n
})

//export pillion__go_count
func pillion__go_count(counts *C.pillion_library_counts) {
	defer contain(nil)
	counts.parked = C.uint64_t(parkedForGood.Load())
	threads := []metrics.Sample{{Name: "/sched/threads/total:threads"}}
	metrics.Read(threads)
	counts.threads = C.uint64_t(threads[0].Value.Uint64())
	if d := current.Load(); d != nil {
		counts.workers = C.uint64_t(d.blocking.Workers() + d.cpu.Workers())
		counts.max_workers = C.uint64_t(d.blocking.Limit())
	}
}

func (d *dispatcher) run() {
	defer close(d.ended)
	asleep := word(C.pillion__ring_asleep())
	awake := func(uintptr) bool { return asleep.Load() == 0 }
	// The goroutine waits for the descriptor and never reads it: each write is an
	// event.
	raw, _ := d.wakeup.SyscallConn()
	for {
		d.mu.Lock()
		n := d.take()
		sleep := n == 0 && C.pillion__ring_sleep() != 0
		d.mu.Unlock()
		if n < 0 {
			return
		}
		if sleep && raw.Read(awake) != nil {
			time.Sleep(time.Millisecond) // it looks unasked, so that no call hangs
		}
	}
}

// take hands out the submissions that wait, under the lock. It gives their number, or
// -1 when the ring is closed.
func (d *dispatcher) take() C.int {
	n := C.pillion__ring_take(&d.jobs[0], C.int(len(d.jobs)))
	if n > 0 {
		d.hand(d.jobs[:n])
	}
	if d.dead.Load() != 0 {
		d.bury()
	}
	return n
}

// hand gives out a batch, whose jobs are one allocation.
func (d *dispatcher) hand(taken []C.struct_pillion__job) {
	jobs := make([]job, len(taken))
	for i := range taken {
		b := &taken[i]
		if b.news != 0 {
			tell(b)
			continue
		}
		j := &jobs[i]
		j.call, j.gen = b.call, uint32(b.gen)
		switch {
		case pool(b.call) != 0:
			j.spawn(pool(b.call) - 1)
		case functions[b.call.function].Kind == export.KindCPU:
			j.ctx.Pool = d.cpu
			j.startClock()
			d.toCPU = append(d.toCPU, j)
		default:
			j.startClock()
			d.toBlocking = append(d.toBlocking, j)
		}
	}
	d.toBlocking = submit(d.blocking, d.toBlocking)
	d.toCPU = submit(d.cpu, d.toCPU)
}

func submit(p *offload.Pool, jobs []offload.Job) []offload.Job {
	if len(jobs) > 0 {
		if err := p.Submit(jobs...); err != nil {
			warn("a pool is closed with jobs to do: " + err.Error())
		}
	}
	clear(jobs)
	return jobs[:0]
}

// state is a call's state word, which C and Go change by compare-and-swap.
func state(call *C.struct_pillion__call) *atomic.Uint64 {
	return double(&call.state)
}
