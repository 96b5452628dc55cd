// SPDX-License-Identifier: Apache-2.0

package offload

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/internal/test"
)

func TestMain(m *testing.M) { test.Main(m, Blocking().Close, CPUBound().Close) }

type jobFunc func()

func (f jobFunc) Run() { f() }

func newPool(t testing.TB, limit int) *Pool {
	p := NewPool(limit)
	t.Cleanup(p.Close)
	return p
}

func TestJobsRunInTheirOrder(t *testing.T) {
	p := NewPool(1)
	var got []int
	for i := range 200 {
		p.Submit(jobFunc(func() { got = append(got, i) }), jobFunc(func() { got = append(got, i) }))
	}
	p.Close()
	test.Equal(t, "jobs run", len(got), 400)
	for i, v := range got {
		test.Equal(t, "order", v, i/2)
	}
	test.Equal(t, "Submit", p.Submit(jobFunc(func() {})), executor.ErrClosed)
	test.Equal(t, "workers", p.Workers(), 0)
}

// Each job waits for all others to have begun, so one worker that is missing hangs.
func TestBlockedJobsStallNobody(t *testing.T) {
	for name, batch := range map[string]bool{"one by one": false, "in a batch": true} {
		t.Run(name, func(t *testing.T) {
			p := newPool(t, 0)
			const n = 50
			var all, done sync.WaitGroup
			all.Add(n)
			done.Add(n)
			jobs := make([]Job, n)
			for i := range jobs {
				jobs[i] = jobFunc(func() { all.Done(); all.Wait(); done.Done() })
			}
			if batch {
				p.Submit(jobs...)
			} else {
				for _, j := range jobs {
					p.Submit(j)
				}
			}
			done.Wait()
		})
	}
}

func TestShortJobsMakeFewWorkers(t *testing.T) {
	p := newPool(t, 0)
	var done sync.WaitGroup
	var most atomic.Int64
	jobs := make([]Job, 10000)
	done.Add(len(jobs))
	for i := range jobs {
		jobs[i] = jobFunc(func() {
			if n := int64(p.Workers()); n > most.Load() {
				most.Store(n)
			}
			done.Done()
		})
	}
	p.Submit(jobs...)
	done.Wait()
	if most.Load() > 1000 {
		t.Errorf("%d workers", most.Load())
	}
}

func TestLimit(t *testing.T) {
	p := newPool(t, 3)
	var now, most atomic.Int64
	var done sync.WaitGroup
	for range 300 {
		done.Add(1)
		p.Submit(jobFunc(func() {
			if n := now.Add(1); n > most.Load() {
				most.Store(n)
			}
			runtime.Gosched()
			now.Add(-1)
			done.Done()
		}))
	}
	done.Wait()
	if most.Load() > 3 {
		t.Errorf("%d jobs at a time", most.Load())
	}
}

func TestNoWorkerIsStartedWithoutAJob(t *testing.T) {
	p := newPool(t, 1)
	p.SetLimit(3)
	p.Submit()
	test.Equal(t, "workers", p.Workers(), 0)
}

func TestIdleWorkersEnd(t *testing.T) {
	p := newPool(t, 0)
	n := p.spare * 3
	var all, done sync.WaitGroup
	all.Add(n)
	done.Add(n)
	for range n {
		p.Submit(jobFunc(func() { all.Done(); all.Wait(); done.Done() }))
	}
	done.Wait()
	for p.Workers() > p.spare {
		runtime.Gosched()
	}
}

func TestGoexitInAJobCostsNoWorker(t *testing.T) {
	p := NewPool(1)
	ran := 0
	for range 10 {
		p.Submit(jobFunc(func() { runtime.Goexit() }), jobFunc(func() { ran++ }))
	}
	p.Close()
	test.Equal(t, "jobs run", ran, 10)
}

func TestHammerPool(t *testing.T) {
	p := NewPool(0)
	var ran atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 2000 {
				p.Submit(jobFunc(func() {
					if i%97 == 0 {
						runtime.Goexit()
					}
				}), jobFunc(func() { ran.Add(1) }))
			}
		})
	}
	wg.Wait()
	p.Close()
	test.Equal(t, "jobs run", ran.Load(), 8000)
}

// loop is an executor whose host can be waited for.
type loop struct {
	*executor.Local
	wake chan struct{}
}

func (l *loop) Wake() error {
	select {
	case l.wake <- struct{}{}:
	default: // a test polled without taking the last one
	}
	return nil
}

func newLoop(t *testing.T) *loop {
	l := &loop{wake: make(chan struct{}, 1)}
	l.Local = executor.New(executor.Config{Host: l})
	t.Cleanup(func() { l.Free() })
	return l
}

func (l *loop) run() {
	for {
		p, _ := l.Poll(executor.Budget{})
		if p.Live == 0 {
			return
		}
		if !p.More {
			<-l.wake
		}
	}
}

func TestGo(t *testing.T) {
	l := newLoop(t)
	for _, f := range []executor.Future[int]{
		Go(func(context.Context) (int, error) { return 42, nil }),
		CPU(func(context.Context) (int, error) { return 42, nil }),
	} {
		task, _ := executor.Spawn(l.Local, f)
		l.run()
		v, err := task.Result()
		test.Equal(t, "value", v, 42)
		test.Equal(t, "error", err, nil)
	}
}

func TestPanicAndGoexitInGo(t *testing.T) {
	l := newLoop(t)
	a, _ := executor.Spawn(l.Local, Go(func(context.Context) (int, error) { panic("no") }))
	b, _ := executor.Spawn(l.Local, Go(func(context.Context) (int, error) { runtime.Goexit(); return 0, nil }))
	l.run()
	_, err := a.Result()
	var pe *executor.PanicError
	test.Equal(t, "a panic", errors.As(err, &pe), true)
	_, err = b.Result()
	test.Equal(t, "error", err, executor.ErrGoexit)
}

func TestCancelCancelsTheContext(t *testing.T) {
	l := newLoop(t)
	begun, ended := make(chan struct{}), make(chan error)
	task, _ := executor.Spawn(l.Local, Go(func(ctx context.Context) (int, error) {
		close(begun)
		<-ctx.Done()
		ended <- ctx.Err()
		return 0, nil
	}))
	l.Poll(executor.Budget{})
	<-begun
	task.Cancel()
	l.run()
	test.Equal(t, "outcome", task.Outcome(), executor.CancelledRunning)
	test.Equal(t, "error", <-ended, context.Canceled)
}

func TestGoOnAClosedPool(t *testing.T) {
	l := newLoop(t)
	p := NewPool(0)
	p.Close()
	task, _ := executor.Spawn(l.Local, executor.Future[int](&call[int]{pool: func() *Pool { return p }}))
	l.run()
	_, err := task.Result()
	test.Equal(t, "error", err, executor.ErrClosed)
}

func TestContext(t *testing.T) {
	c := new(Context)
	test.Equal(t, "error", c.Err(), nil)
	before := runtime.NumGoroutine()
	child, cancel := context.WithCancel(c)
	defer cancel()
	test.Equal(t, "goroutines for a derived context", runtime.NumGoroutine(), before)
	ran := make(chan struct{})
	stopped := context.AfterFunc(c, func() { t.Error("it was stopped") })
	test.Equal(t, "stop", stopped(), true)
	test.Equal(t, "stop", stopped(), false)
	context.AfterFunc(c, func() { close(ran) })
	c.Cancel()
	c.Cancel()
	<-ran
	<-child.Done()
	<-c.Done()
	test.Equal(t, "error", c.Err(), context.Canceled)
	late := make(chan struct{})
	context.AfterFunc(c, func() { close(late) })
	<-late
	test.Equal(t, "value", c.Value(1), nil)
}

func TestContextWithADeadline(t *testing.T) {
	far := new(Context)
	at := time.Now().Add(time.Hour)
	before := runtime.NumGoroutine()
	far.Until(at, func() { far.End(context.DeadlineExceeded) })
	child, cancel := context.WithCancel(far)
	defer cancel()
	test.Equal(t, "goroutines that wait for it", runtime.NumGoroutine(), before)
	seen, ok := child.Deadline()
	test.Equal(t, "deadline", seen == at && ok, true)
	far.Stop()
	far.Cancel()
	test.Equal(t, "error", far.Err(), context.Canceled)

	near := new(Context)
	near.Until(time.Now().Add(time.Millisecond), func() { near.End(context.DeadlineExceeded) })
	<-near.Done()
	test.Equal(t, "error", near.Err(), context.DeadlineExceeded)
	near.Cancel()
	test.Equal(t, "error", near.Err(), context.DeadlineExceeded)
	near.Stop()
}

type countJob struct {
	left *atomic.Int64
	done chan struct{}
}

func (j *countJob) Run() {
	if j.left.Add(-1) == 0 {
		j.done <- struct{}{}
	}
}

// BenchmarkOffloadBatch is one job of a batch of 10,000.
func BenchmarkOffloadBatch(b *testing.B) {
	p := newPool(b, 0)
	const size = 10000
	var left atomic.Int64
	j := &countJob{&left, make(chan struct{}, 1)}
	jobs := make([]Job, size)
	for i := range jobs {
		jobs[i] = j
	}
	b.ReportAllocs()
	for n := 0; n < b.N; n += size {
		left.Store(size)
		p.Submit(jobs...)
		<-j.done
	}
	b.ReportMetric(float64(p.Workers()), "workers")
}

// BenchmarkOffloadOne is one job and its end, alone.
func BenchmarkOffloadOne(b *testing.B) {
	p := newPool(b, 0)
	var left atomic.Int64
	j := &countJob{&left, make(chan struct{}, 1)}
	b.ReportAllocs()
	for b.Loop() {
		left.Store(1)
		p.Submit(j)
		<-j.done
	}
}

func TestValuesOfTheTaskAreTheFunctions(t *testing.T) {
	l := newLoop(t)
	type key struct{}
	value := func(ctx context.Context) (any, error) { return ctx.Value(key{}), nil }
	ctx := context.WithValue(context.Background(), key{}, "here")
	with, _ := executor.Spawn(l.Local, Go(value), executor.WithValues(ctx))
	without, _ := executor.Spawn(l.Local, Go(value))
	l.run()
	v, _ := with.Result()
	test.Equal(t, "value", v, any("here"))
	v, _ = without.Result()
	test.Equal(t, "value", v, nil)
}
