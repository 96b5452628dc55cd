// SPDX-License-Identifier: Apache-2.0

package hostsuite

import (
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/future"
	"github.com/pillion-dev/pillion/executor/watch"
	"github.com/pillion-dev/pillion/foreign"
	"github.com/pillion-dev/pillion/foreign/internal/suite"
)

// Go would end the process if coroutines were polled there.
func otherThread(t *testing.T, p *place) {
	task := p.suspend(t)
	go task.Cancel()
	done := make(chan int)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		p.until(func() bool { return p.host.Err() != nil })
		done <- p.wait(20 * time.Millisecond)
	}()
	if rounds := <-done; rounds > 10 {
		t.Fatal(rounds, "rounds: it spins")
	}
	want(t, p.host.Err(), foreign.ErrWrongThread)
	want(t, p.host.Run(), foreign.ErrWrongThread)
	if task.Done() {
		t.Fatal("it was polled")
	}
}

func locked(t *testing.T, p *place) {
	done := make(chan struct{})
	go func() { // it isn't locked
		defer close(done)
		host, err := p.Host()
		if err != nil {
			t.Error(err)
			return
		}
		l := executor.New(executor.Config{Host: host})
		if err := host.Attach(l); err != nil {
			t.Error(err)
			return
		}
		thread := unix.Gettid()
		for range 20 {
			executor.Spawn(l, worker(1))
			if err := host.Run(); err != nil || unix.Gettid() != thread {
				t.Error(err, "or another thread")
			}
			for range 10 {
				go runtime.Gosched()
				runtime.Gosched()
			}
		}
		if err := host.Close(); err != nil {
			t.Error(err)
		}
	}()
	<-done
}

func fair(t *testing.T, p *place) {
	polls := 0
	var task *executor.Task[int]
	task, _ = executor.Spawn(p.l, future.Func[int](func(cx *executor.Context) (int, bool, error) {
		if polls++; polls == 2 {
			p.After(time.Millisecond, func() { task.Cancel() })
		}
		cx.WakeSelf()
		return 0, false, nil
	}))
	p.run(t)
	want(t, task.Err(), executor.ErrCancelled)
}

// await spawns a task, and makes rounds until the loop watches for it.
func (p *place) await(w *executor.Watch) *executor.Task[watch.Events] {
	begun := false
	task, _ := executor.Spawn(p.l, coro.New(func(co *coro.Co) (watch.Events, error) {
		begun = true
		return coro.Await(co, w.Ready(watch.Readable))
	}))
	p.until(func() bool { return begun })
	return task
}

// A hang-up is reported unasked, as long as the loop watches the descriptor.
func unawaited(t *testing.T, p *place) {
	a, b := suite.Sockets(t)
	var w executor.Watch
	want(t, w.Open(p.l, a, suite.Closer(a)), nil)
	defer w.CloseLocal()
	task := p.await(&w)
	task.Cancel()
	p.run(t)
	unix.Close(b)
	if rounds := p.wait(20 * time.Millisecond); rounds > 10 {
		t.Fatal(rounds, "rounds: it spins")
	}
}

// A fault is reported unasked, too.
func faulty(t *testing.T, p *place) {
	if !p.Faults {
		t.Skip("the loop tells of none")
	}
	ends := make([]int, 2)
	want(t, unix.Pipe2(ends, unix.O_NONBLOCK|unix.O_CLOEXEC), nil)
	var w executor.Watch
	want(t, w.Open(p.l, ends[1], suite.Closer(ends[1])), nil)
	defer w.CloseLocal()
	unix.Close(ends[0])
	executor.Spawn[watch.Events](p.l, w.Ready(watch.Readable))
	p.run(t)
	if rounds := p.wait(20 * time.Millisecond); rounds > 10 {
		t.Fatal(rounds, "rounds: it spins")
	}
}

func idle(t *testing.T, p *place) {
	executor.Spawn(p.l, future.Sleep(time.Millisecond))
	p.run(t)
	if rounds := p.wait(20 * time.Millisecond); rounds > 10 {
		t.Fatal(rounds, "rounds after a timer")
	}
	executor.Spawn(p.l, future.Sleep(time.Hour))
	if rounds := p.wait(20 * time.Millisecond); rounds > 10 {
		t.Fatal(rounds, "rounds")
	}
}

func shared(t *testing.T, p *place) {
	a, b := suite.Sockets(t)
	defer unix.Close(b)
	defer unix.Close(a)
	var first, second executor.Watch
	want(t, first.Open(p.l, a, nil), nil)
	defer first.CloseLocal()
	p.await(&first)
	other := add(t, p.Loop)
	want(t, second.Open(other.l, a, nil), nil)
	defer second.CloseLocal()
	task, _ := executor.Spawn[watch.Events](other.l, second.Ready(watch.Writable))
	other.run(t)
	if p.Once {
		want(t, task.Err(), executor.ErrBusy)
	} else {
		want(t, task.Err(), nil)
	}
}

func two(t *testing.T, p *place) {
	other := add(t, p.Loop)
	there, _ := executor.Spawn(other.l, worker(3))
	here, _ := executor.Spawn(p.l, coro.New(func(co *coro.Co) (int, error) {
		for !there.Done() {
			if _, err := coro.Await(co, future.Sleep(100*time.Microsecond)); err != nil {
				return 0, err
			}
		}
		return there.Result()
	}))
	p.run(t)
	if n, err := here.Result(); n != 3 || err != nil {
		t.Fatal(n, err)
	}
	want(t, other.host.Close(), nil)
	p.work(t) // under the lock that is left
}

func begun(t *testing.T, p *place) {
	p.work(t)
	var task *executor.Task[int]
	p.After(0, func() { task, _ = executor.Spawn(p.l, worker(2)) })
	p.until(func() bool { return task != nil && task.Done() })
}
