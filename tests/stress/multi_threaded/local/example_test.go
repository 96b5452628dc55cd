// SPDX-License-Identifier: Apache-2.0

package multi_threaded

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/future"
	"github.com/pillion-dev/pillion/foreign/poll"
)

// thread is a loop of some kind that lends its thread to a pool: it polls its own
// Local, which is a worker of the pool meanwhile.
type thread interface {
	executor.Host
	wait() // until a wake, or as long as this kind of loop likes
	end()
}

// polling sleeps in poll(2), as a loop with descriptors does.
type polling struct{ *poll.Loop }

func (p polling) wait() { check(p.Wait(-1)) }
func (p polling) end()  { check(p.Close()) }

// channel is a loop that selects, as Go programs do.
type channel chan struct{}

func (c channel) Wake() error {
	select {
	case c <- struct{}{}:
	default: // told already
	}
	return nil
}
func (c channel) wait() { <-c }
func (c channel) end()  {}

// frames turns again and again, like a game, and needs no wake.
type frames struct{}

func (frames) Wake() error { return nil }
func (frames) wait()       { runtime.Gosched() }
func (frames) end()        {}

// lend runs on each thread. Its own task stays with it, while the pool's come and
// go.
func lend(pool *executor.Pool, host thread, joined *sync.WaitGroup, stop *atomic.Bool, strayed *atomic.Int32) {
	runtime.LockOSThread()
	defer host.end()
	l := executor.New(executor.Config{Host: host})
	defer l.Free()
	_, err := executor.Spawn(l, future.Func[int](func(cx *executor.Context) (int, bool, error) {
		if cx.Local() != l {
			strayed.Add(1)
		}
		cx.WakeSelf()
		return 0, false, nil
	}))
	check(err)
	check(pool.Join(l))
	joined.Done()
	for !stop.Load() {
		p, err := l.Poll(executor.Budget{})
		check(err)
		if !p.More {
			host.wait()
		}
	}
}

// traveller is a task of the pool: any thread may do its next step. Its fields need
// no lock, since only one polls it at a time, and sees what the last one wrote.
type traveller struct{ steps int }

func (t *traveller) Poll(cx *executor.Context) (int, bool, error) {
	t.steps++
	cx.WakeSelf()
	return t.steps, t.steps == 100, nil
}

func Example() {
	loop, err := poll.New()
	check(err)
	threads := []thread{polling{loop}, make(channel, 1), frames{}}
	pool := executor.NewPool(executor.PoolConfig{})
	var stop atomic.Bool
	var strayed atomic.Int32
	var lent, joined sync.WaitGroup
	joined.Add(len(threads))
	for _, t := range threads {
		lent.Go(func() { lend(pool, t, &joined, &stop, &strayed) })
	}
	joined.Wait()

	const n = 1000
	var ended sync.WaitGroup
	ended.Add(n)
	var steps atomic.Int64
	done := executor.OnDone[int](func(v int, _ error, _ executor.Outcome) {
		steps.Add(int64(v))
		ended.Done()
	})
	for range n {
		_, err := executor.Spawn[int](pool, new(traveller), done)
		check(err)
	}
	ended.Wait()
	fmt.Println(steps.Load(), "steps of", n, "tasks on", len(threads), "threads")
	fmt.Println(strayed.Load(), "tasks of a single thread went astray")

	stop.Store(true)
	for _, t := range threads {
		check(t.Wake())
	}
	lent.Wait()
	check(pool.Free())
	// Output:
	// 100000 steps of 1000 tasks on 3 threads
	// 0 tasks of a single thread went astray
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
