// SPDX-License-Identifier: Apache-2.0

package zero_allocation

import (
	"fmt"
	"testing"
	"time"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/future"
)

// life is a task that sleeps, is woken from another goroutine, and returns.
type life struct {
	nap   *executor.Timer
	rest  bool
	asks  chan executor.Waker
	woken bool
}

func (f *life) Poll(cx *executor.Context) (int, bool, error) {
	if !f.rest {
		if _, f.rest, _ = f.nap.Poll(cx); !f.rest {
			return 0, false, nil
		}
		f.asks <- cx.Waker()
		return 0, false, nil
	}
	return 42, f.woken, nil
}

// host is a loop that waits only for its wake.
type host chan struct{}

func (h host) Wake() error {
	select {
	case h <- struct{}{}:
	default: // told already
	}
	return nil
}

// world is an executor, a goroutine that wakes its task, and a clock that the program
// moves to the next deadline.
type world struct {
	l    *executor.Local
	now  int64
	host host
	life life
	task executor.Task[int]
}

func newWorld() *world {
	w := &world{host: make(host, 1), life: life{nap: future.Sleep(0), asks: make(chan executor.Waker)}}
	w.l = executor.New(executor.Config{Host: w.host, Clock: func() int64 { return w.now }})
	go func() {
		for waker := range w.life.asks {
			w.life.woken = true
			waker.Wake()
		}
	}()
	return w
}

func (w *world) live() int {
	f := &w.life
	f.nap.Reset(time.Millisecond)
	f.rest, f.woken = false, false
	if err := w.task.Spawn(w.l, f); err != nil {
		panic(err)
	}
	for {
		p, err := w.l.Poll(executor.Budget{})
		switch {
		case err != nil:
			panic(err)
		case p.Live == 0:
			v, _ := w.task.Result()
			return v
		case p.Deadline != executor.Never:
			w.now = p.Deadline
		case !p.More:
			<-w.host
		}
	}
}

func (w *world) end() {
	close(w.life.asks)
	w.l.Free()
}

func Example() {
	w := newWorld()
	defer w.end()
	fmt.Println("one task:", testing.AllocsPerRun(100, func() { w.live() }), "allocations")
	// Output:
	// one task: 0 allocations
}

func TestAThousandTasksAllocateNothing(t *testing.T) {
	l := executor.New(executor.Config{})
	defer l.Free()
	const n = 1000
	var tasks [n]executor.Task[struct{}]
	var naps [n]*executor.Timer
	for i := range naps {
		naps[i] = future.Sleep(0)
	}
	round := func() {
		for i := range tasks {
			naps[i].Reset(time.Microsecond)
			if err := tasks[i].Spawn(l, naps[i]); err != nil {
				t.Fatal(err)
			}
		}
		for {
			p, err := l.Poll(executor.Budget{})
			if err != nil {
				t.Fatal(err)
			}
			if p.Live == 0 {
				return
			}
		}
	}
	if allocs := testing.AllocsPerRun(10, round); allocs != 0 {
		t.Fatalf("%v allocations a round of %d tasks", allocs, n)
	}
}
