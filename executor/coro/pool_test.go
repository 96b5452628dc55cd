// SPDX-License-Identifier: Apache-2.0

package coro

import (
	"errors"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/future"
)

// The runtime itself checks these tests: a coroutine that is resumed on another
// thread than its own, where one of the two is locked, ends the process.

func mustNot(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// lend lends a locked thread to the pool until done says so.
func lend(t *testing.T, p *executor.Pool, done func() bool) {
	if runtime.GOARCH != "wasm" { // which has one thread, so that all would share the lock
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
	}
	l := executor.New(executor.Config{})
	mustNot(t, p.Join(l))
	for !done() {
		if _, err := l.Poll(executor.Budget{}); err != nil {
			t.Error(err)
		}
		runtime.Gosched()
	}
	for p.Leave(l) == executor.ErrBusy {
		if _, err := l.Poll(executor.Budget{}); err != nil {
			t.Error(err)
		}
	}
	mustNot(t, l.Free())
}

// hop yields in every way there is, and adds up where it was.
func hop(n int, wake func(executor.Waker), seen *sync.Map) executor.Future[int] {
	return New(func(co *Co) (sum int, err error) {
		for i := range n {
			seen.Store(co.Local(), true)
			if i%2 == 0 {
				err = co.Yield()
			} else {
				woken := false
				_, err = Await(co, future.Func[struct{}](func(cx *executor.Context) (none struct{}, ready bool, err error) {
					if woken {
						return none, true, nil
					}
					woken = true
					wake(cx.Waker())
					return none, false, nil
				}))
			}
			if err != nil {
				return sum, err
			}
			sum += i
		}
		return sum, nil
	})
}

func hammerCoroutines(t *testing.T, started, lent int) {
	const tasks, hops = 100, 40
	// Go's collector spins until its other threads have swept. If they wait for the only
	// core under SCHED_FIFO, it spins for ever.
	collect := runtime.NumCPU() > 1
	if !collect {
		defer debug.SetGCPercent(debug.SetGCPercent(-1))
	}
	p := executor.NewPool(executor.PoolConfig{})
	mustNot(t, p.Start(started))
	wakers := make(chan executor.Waker, tasks)
	var seen sync.Map
	var done atomic.Int32
	var others sync.WaitGroup
	others.Add(tasks)
	var onDone executor.OnDone[int] = func(int, error, executor.Outcome) {
		done.Add(1)
		others.Done()
	}
	ended := func() bool { return done.Load() == tasks }
	all := make([]*executor.Task[int], tasks)
	for i := range all {
		var err error
		all[i], err = executor.Spawn(p, hop(hops, func(w executor.Waker) { wakers <- w }, &seen), onDone)
		mustNot(t, err)
	}
	for range lent {
		others.Go(func() { lend(t, p, ended) })
	}
	others.Go(func() {
		for i := range tasks * hops / 2 {
			(<-wakers).Wake()
			if i%200 == 0 && collect {
				runtime.GC()
			}
		}
	})
	others.Wait() // not spinning: that would keep the workers from a core that is the only one
	for _, task := range all {
		if v, err := task.Result(); v != hops*(hops-1)/2 || err != nil {
			t.Error(v, err)
		}
	}
	p.Stop()
	mustNot(t, p.Free())
	places := 0
	seen.Range(func(any, any) bool { places++; return true })
	t.Logf("seen on %d workers", places)
}

func TestCoroutinesMoveAmongStartedWorkers(t *testing.T) {
	for _, procs := range []int{1, 2, 4} {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		hammerCoroutines(t, 3, 0)
	}
}

func TestCoroutinesStayWithLentThreads(t *testing.T)     { hammerCoroutines(t, 0, 3) }
func TestCoroutinesOnLentThreadsAndStarted(t *testing.T) { hammerCoroutines(t, 2, 2) }

// parked is a coroutine that awaits what never comes.
func parked(ended *error) executor.Future[int] {
	return New(func(co *Co) (int, error) {
		_, err := Await[struct{}](co, future.SleepUntil(executor.Never))
		*ended = err
		return 0, err
	})
}

func TestLeaveIsRefusedWhileSuspended(t *testing.T) {
	p := executor.NewPool(executor.PoolConfig{})
	a, b := executor.New(executor.Config{}), executor.New(executor.Config{})
	mustNot(t, p.Join(a))
	mustNot(t, p.Join(b))
	turn := func(l *executor.Local, want int) {
		t.Helper()
		progress, err := l.Poll(executor.Budget{})
		mustNot(t, err)
		if progress.Polled != want {
			t.Fatalf("%d polls, want %d", progress.Polled, want)
		}
	}
	var ended error
	task, err := executor.Spawn(p, parked(&ended))
	mustNot(t, err)
	turn(a, 1)
	if err := p.Leave(a); err != executor.ErrBusy {
		t.Fatal(err)
	}
	task.Handle().Cancel()
	turn(b, 0) // it can't be b's
	a.Carrier().Retire()
	if ended != executor.ErrCancelled {
		t.Fatal("retired with", ended)
	}
	mustNot(t, p.Leave(a))
	turn(b, 0)
	if _, err := task.Result(); !task.Done() || err != executor.ErrCancelled {
		t.Fatal(task.Done(), err)
	}
	mustNot(t, a.Free())
	mustNot(t, b.Free())
	mustNot(t, p.Free())
}

func TestShieldedCoroutineEndsWithItsThread(t *testing.T) {
	p := executor.NewPool(executor.PoolConfig{})
	l, other := executor.New(executor.Config{}), executor.New(executor.Config{})
	mustNot(t, p.Join(l))
	var inner error
	task, err := executor.Spawn(p, New(func(co *Co) (int, error) {
		return 0, Shield(co, func() error {
			_, inner = Await[struct{}](co, future.SleepUntil(executor.Never))
			return inner
		})
	}))
	mustNot(t, err)
	_, err = l.Poll(executor.Budget{})
	mustNot(t, err)
	mustNot(t, l.Free())
	mustNot(t, p.Join(other))
	_, err = other.Poll(executor.Budget{})
	mustNot(t, err)
	if _, err := task.Result(); !task.Done() || !errors.Is(err, executor.ErrCancelled) || inner != executor.ErrCancelled {
		t.Fatal(task.Done(), err, inner)
	}
	mustNot(t, other.Free())
	mustNot(t, p.Free())
}

func TestStopEndsCoroutines(t *testing.T) {
	p := executor.NewPool(executor.PoolConfig{})
	mustNot(t, p.Start(2))
	begun := make(chan struct{})
	var ended error
	task, err := executor.Spawn(p, New(func(co *Co) (int, error) {
		close(begun)
		_, ended = Await[struct{}](co, future.SleepUntil(executor.Never))
		return 0, ended
	}))
	mustNot(t, err)
	<-begun
	p.Stop()
	if ended != executor.ErrCancelled {
		t.Fatal(ended)
	}
	mustNot(t, p.Free())
	if _, err := task.Result(); err != executor.ErrCancelled {
		t.Fatal(err)
	}
}
