// SPDX-License-Identifier: Apache-2.0

package offload

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/future"
	"github.com/pillion-dev/pillion/executor/internal/test"
)

// A limit that is raised lets those in that wait.
func TestLimitIsRaised(t *testing.T) {
	p := newPool(t, 1)
	var all, done sync.WaitGroup
	all.Add(3)
	done.Add(3)
	for range 3 {
		p.Submit(jobFunc(func() { all.Done(); all.Wait(); done.Done() }))
	}
	test.Equal(t, "limit", p.Limit(), 1)
	test.Equal(t, "workers", p.Workers(), 1)
	p.SetLimit(3)
	done.Wait()
	p.SetLimit(1) // they end as they become idle
	for p.Workers() > 1 {
		p.Submit(jobFunc(func() {}))
		runtime.Gosched()
	}
}

type mootJob struct {
	moot atomic.Bool
	ran  func()
}

func (j *mootJob) Run()       { j.ran() }
func (j *mootJob) Moot() bool { return j.moot.Load() }

// Jobs that are given up while the only worker is busy take no room, and those in
// between keep their order.
func TestJobsThatAreMootAreForgotten(t *testing.T) {
	p := NewPool(1)
	var gate sync.WaitGroup
	gate.Add(1)
	p.Submit(jobFunc(gate.Wait))
	var got []int
	kept := 0
	for i := range 10000 {
		j := &mootJob{ran: func() { got = append(got, i) }}
		p.Submit(j)
		j.moot.Store(i%1000 != 7)
		if i%1000 == 7 {
			kept++
		}
	}
	p.mu.Lock()
	waiting := p.jobs.Len()
	p.mu.Unlock()
	if waiting > 128 {
		t.Errorf("%d jobs wait, %d of which are wanted", waiting, kept)
	}
	gate.Done()
	p.Close()
	last := -1
	for _, i := range got {
		if i <= last {
			t.Fatalf("%d after %d", i, last)
		}
		last = i
		if i%1000 == 7 {
			kept--
		}
	}
	test.Equal(t, "missing", kept, 0)
}

// A future that one task has begun and another awaits wakes the one that polled last.
func TestFutureIsHandedToAnotherTask(t *testing.T) {
	p := NewPool(0)
	l := newLoop(t)
	gate := make(chan struct{})
	begun := &call[int]{
		f:    func(context.Context) (int, error) { <-gate; return 42, nil },
		pool: func() *Pool { return p },
	}
	turn := func(polls int) {
		t.Helper()
		progress, err := l.Poll(executor.Budget{})
		test.Equal(t, "error", err, nil)
		test.Equal(t, "polls", progress.Polled, polls)
	}
	begins := future.Func[struct{}](func(cx *executor.Context) (none struct{}, ready bool, err error) {
		_, ready, err = begun.Poll(cx)
		test.Equal(t, "ready", ready, false)
		return none, true, err
	})
	executor.Spawn(l.Local, executor.Future[struct{}](begins))
	turn(1)
	task, _ := executor.Spawn(l.Local, executor.Future[int](begun))
	turn(1)
	close(gate)
	p.Close() // when the job has run, and has woken whom it knew of
	turn(1)
	v, err := task.Result()
	test.Equal(t, "value", v, 42)
	test.Equal(t, "error", err, nil)
}
