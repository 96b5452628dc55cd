// SPDX-License-Identifier: Apache-2.0

package offload

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/internal/test"
)

// cpuJob is a job with a seat.
type cpuJob struct {
	ctx Context
	f   func(ctx context.Context)
}

func (j *cpuJob) Run() {
	defer func() { recover() }()
	j.f(&j.ctx)
}

func seated(p *Pool, f func(ctx context.Context)) Job {
	return &cpuJob{Context{Pool: p}, f}
}

// numbers gives the seated, those away, and the jobs that wait.
func numbers(p *Pool) [3]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return [3]int{p.seated() - (p.seats - p.limit), p.away, p.jobs.Len()}
}

// settle waits until the pool's numbers are these.
func settle(p *Pool, want [3]int) {
	for numbers(p) != want {
		runtime.Gosched()
	}
}

// More jobs than seats are away, and another runs and ends.
func TestAwayLeavesTheSeat(t *testing.T) {
	p := newPool(t, 2)
	gate := make(chan struct{})
	var away, done sync.WaitGroup
	away.Add(5)
	done.Add(5)
	for range 5 {
		p.Submit(seated(p, func(ctx context.Context) {
			Away(ctx, func() { away.Done(); <-gate })
			done.Done()
		}))
	}
	away.Wait()
	ran := make(chan struct{})
	p.Submit(seated(p, func(context.Context) { close(ran) }))
	<-ran
	settle(p, [3]int{0, 5, 0})
	test.Equal(t, "workers, of which one waits for a job", p.Workers(), 6)
	close(gate)
	done.Wait()
	settle(p, [3]int{0, 0, 0})
	for p.Workers() > 2 { // those that are too many end
		runtime.Gosched()
	}
}

// One comes back with a lock for which those in the seats wait. It waits for no seat.
func TestComingBackDoesNotWait(t *testing.T) {
	p := newPool(t, 2)
	var lock sync.Mutex
	gate, away := make(chan struct{}), make(chan struct{})
	var done sync.WaitGroup
	done.Add(3)
	p.Submit(seated(p, func(ctx context.Context) {
		lock.Lock()
		Away(ctx, func() { close(away); <-gate })
		lock.Unlock()
		done.Done()
	}))
	<-away
	for range 2 {
		p.Submit(seated(p, func(context.Context) { lock.Lock(); lock.Unlock(); done.Done() }))
	}
	settle(p, [3]int{2, 1, 0})
	p.Submit(jobFunc(func() {}))
	test.Equal(t, "workers", p.Workers(), 3)
	close(gate)
	done.Wait()
}

// With three at two seats the first that ends takes no job, and the second does.
func TestTooManyAtTheSeatsBeginNoJob(t *testing.T) {
	p := newPool(t, 2)
	back, end := make(chan struct{}), make(chan struct{})
	p.Submit(seated(p, func(ctx context.Context) { Away(ctx, func() { <-back }); <-end }))
	for range 2 {
		p.Submit(seated(p, func(context.Context) { <-end }))
	}
	settle(p, [3]int{2, 1, 0})
	back <- struct{}{}
	settle(p, [3]int{3, 0, 0})
	ran := make(chan struct{})
	p.Submit(seated(p, func(context.Context) { close(ran) }))
	end <- struct{}{}
	settle(p, [3]int{2, 0, 1})
	end <- struct{}{}
	<-ran
	end <- struct{}{}
}

// The calls count once, whether one is in another or beside it.
func TestCallsOfAwayOfOneJobCountOnce(t *testing.T) {
	p := newPool(t, 1)
	step, end := make(chan [3]int), make(chan struct{})
	p.Submit(seated(p, func(ctx context.Context) {
		derived, cancel := context.WithCancel(ctx)
		defer cancel()
		Away(ctx, func() {
			Away(derived, func() { step <- numbers(p) })
			step <- numbers(p)
		})
		step <- numbers(p)
		inside, out := make(chan struct{}), make(chan struct{})
		var beside sync.WaitGroup
		for range 2 {
			beside.Go(func() { Away(ctx, func() { inside <- struct{}{}; <-out }) })
		}
		<-inside
		<-inside
		step <- numbers(p)
		close(out)
		beside.Wait()
		step <- numbers(p)
		close(end)
	}))
	for _, want := range [][3]int{{0, 1, 0}, {0, 1, 0}, {1, 0, 0}, {0, 1, 0}, {1, 0, 0}} {
		test.Equal(t, "numbers", <-step, want)
	}
	<-end
}

func TestPanicAndGoexitInAwayComeBack(t *testing.T) {
	p := newPool(t, 1)
	for _, leave := range []func(){func() { panic("no") }, runtime.Goexit} {
		p.Submit(seated(p, func(ctx context.Context) { Away(ctx, leave) }))
		ran := make(chan [3]int)
		p.Submit(seated(p, func(context.Context) { ran <- numbers(p) }))
		test.Equal(t, "numbers", <-ran, [3]int{1, 0, 0})
	}
}

// A call that outlasts its job leaves a seat too many, and no more than that.
func TestAwayOutlastsItsJob(t *testing.T) {
	p := NewPool(1)
	inside, out := make(chan struct{}), make(chan struct{})
	var outlasts sync.WaitGroup
	p.Submit(seated(p, func(ctx context.Context) {
		outlasts.Go(func() { Away(ctx, func() { close(inside); <-out }) })
		<-inside
	}))
	<-inside
	var both sync.WaitGroup
	both.Add(2)
	for range 2 {
		p.Submit(seated(p, func(context.Context) { both.Done(); both.Wait() }))
	}
	both.Wait()
	p.Close()
	close(out)
	outlasts.Wait()
	test.Equal(t, "away", numbers(p)[1], 0)
}

func TestCloseWaitsForThoseAway(t *testing.T) {
	p := NewPool(1)
	away, gate := make(chan struct{}), make(chan struct{})
	var trace []string
	p.Submit(seated(p, func(ctx context.Context) {
		Away(ctx, func() { close(away); <-gate })
		trace = append(trace, "back")
	}))
	<-away
	closed := make(chan struct{})
	go func() { p.Close(); close(closed) }()
	for p.Submit(jobFunc(func() {})) == nil { // until it is closed
		runtime.Gosched()
	}
	close(gate)
	<-closed
	test.Equal(t, "trace", len(trace), 1)
	test.Equal(t, "numbers", numbers(p), [3]int{0, 0, 0})
}

// Those that are away end as any other: a cancel ends the context alone.
func TestCancelWhileAway(t *testing.T) {
	l := newLoop(t)
	away, ended := make(chan struct{}), make(chan error)
	task, _ := executor.Spawn(l.Local, CPU(func(ctx context.Context) (int, error) {
		Away(ctx, func() { close(away); <-ctx.Done() })
		ended <- ctx.Err()
		return 0, nil
	}))
	l.Poll(executor.Budget{})
	<-away
	task.Cancel()
	l.run()
	test.Equal(t, "error", <-ended, context.Canceled)
	for numbers(CPUBound())[1] > 0 {
		runtime.Gosched()
	}
}

func TestAwayWithoutASeat(t *testing.T) {
	l := newLoop(t)
	for _, ctx := range []context.Context{context.Background(), new(Context)} {
		ran := false
		Away(ctx, func() { ran = true })
		test.Equal(t, "ran", ran, true)
	}
	task, _ := executor.Spawn(l.Local, Go(func(ctx context.Context) (n [3]int, err error) {
		Away(ctx, func() { n = numbers(Blocking()) })
		return n, nil
	}))
	l.run()
	n, _ := task.Result()
	test.Equal(t, "away", n[1], 0)
}

// One may leave a seat to others. The second that is away leaves none.
func TestNoMoreThanMayBlockLeaveASeat(t *testing.T) {
	defer Blocking().SetLimit(Blocking().Limit())
	Blocking().SetLimit(1)
	p := newPool(t, 1)
	gate := make(chan struct{})
	for range 3 {
		p.Submit(seated(p, func(ctx context.Context) { Away(ctx, func() { <-gate }) }))
	}
	settle(p, [3]int{1, 2, 1})
	gate <- struct{}{} // its worker takes the third job
	settle(p, [3]int{1, 2, 0})
	close(gate)
}

// What was left to the one worker is taken when its job leaves, and what comes later is
// told.
func TestNoJobIsLeftToOneAway(t *testing.T) {
	for _, late := range []bool{false, true} {
		s := newShelf(t, 1)
		begun, leave, away, gate := make(chan struct{}), make(chan struct{}), make(chan struct{}), make(chan struct{})
		s.put(seated(s.pool, func(ctx context.Context) {
			close(begun)
			<-leave
			Away(ctx, func() { close(away); <-gate })
		}).Run)
		<-begun
		test.Equal(t, "attended", s.attended.Load(), true)
		if late {
			close(leave)
			<-away
			s.put(func() { close(gate) })
		} else {
			s.put(func() { close(gate) }) // no worker is told
			close(leave)
		}
		<-gate
	}
}

// One of two is away and one sits, so a seat is free.
func TestOneAwayDoesNotAttend(t *testing.T) {
	s := newShelf(t, 2)
	away, begun, gate := make(chan struct{}), make(chan struct{}), make(chan struct{})
	s.put(seated(s.pool, func(ctx context.Context) { Away(ctx, func() { close(away); <-gate }) }).Run)
	<-away
	s.put(func() { close(begun); <-gate })
	<-begun
	s.put(func() { close(gate) })
	<-gate
}

// Jobs come, leave, come back and end by chance. A job begins at once if a seat is free
// and else not, and in its order.
func TestRandomAway(t *testing.T) {
	defer Blocking().SetLimit(Blocking().Limit())
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 11))
		limit, most := 1+r.IntN(3), 1+r.IntN(3)
		Blocking().SetLimit(most)
		p := NewPool(limit)
		type life struct{ leave, back, end, did chan struct{} }
		begun := make(chan int, 1)
		var lives []*life
		var sitting, away []int
		next := 0 // the job that begins next
		submit := func() {
			n := len(lives)
			l := &life{make(chan struct{}), make(chan struct{}), make(chan struct{}), make(chan struct{})}
			lives = append(lives, l)
			p.Submit(seated(p, func(ctx context.Context) {
				begun <- n
				for {
					select {
					case <-l.leave:
						Away(ctx, func() { l.did <- struct{}{}; <-l.back })
						l.did <- struct{}{}
					case <-l.end:
						return
					}
				}
			}))
		}
		for step := 0; step < 100 || len(sitting)+len(away) > 0; step++ {
			switch op := r.IntN(4); {
			case op == 0 && step < 100:
				submit()
			case op == 1 && len(sitting) > 0 && step < 100:
				i := sitting[r.IntN(len(sitting))]
				lives[i].leave <- struct{}{}
				<-lives[i].did
				sitting = remove(sitting, i)
				away = append(away, i)
			case op == 2 && len(away) > 0:
				i := away[r.IntN(len(away))]
				lives[i].back <- struct{}{}
				<-lives[i].did
				away = remove(away, i)
				sitting = append(sitting, i)
			case op == 3 && len(sitting) > 0:
				i := sitting[r.IntN(len(sitting))]
				lives[i].end <- struct{}{}
				sitting = remove(sitting, i)
			}
			// A seat of one that is away too many stays taken.
			taken := func() int { return len(sitting) + max(0, len(away)-most) }
			for next < len(lives) && taken() < limit {
				test.Equal(t, "begun", <-begun, next)
				sitting = append(sitting, next)
				next++
			}
			settle(p, [3]int{taken(), len(away), len(lives) - next})
			test.Equal(t, "begun too many", len(begun), 0)
		}
		p.Close()
	}
}

func remove(from []int, v int) []int {
	var left []int
	for _, x := range from {
		if x != v {
			left = append(left, x)
		}
	}
	return left
}

// Each job is away until the next one has begun, some of them by a goroutine of theirs,
// and the jobs come by a source that leaves them to workers.
func TestHammerAway(t *testing.T) {
	for limit := 1; limit <= 3; limit++ {
		s := newShelf(t, limit)
		var done sync.WaitGroup
		var ran atomic.Int64
		for range 3 {
			done.Go(func() {
				for i := range 1000 {
					next, over := make(chan struct{}), make(chan struct{})
					s.put(seated(s.pool, func(ctx context.Context) {
						defer close(over)
						wait := func() { Away(ctx, func() { <-next }) }
						if i%3 == 0 {
							var beside sync.WaitGroup
							beside.Go(wait)
							beside.Wait()
						} else {
							wait()
						}
						ran.Add(1)
						if i%97 == 0 {
							runtime.Goexit()
						}
					}).Run)
					s.put(seated(s.pool, func(ctx context.Context) { close(next); ran.Add(1) }).Run)
					if i%10 == 0 {
						<-over
					}
				}
			})
		}
		done.Wait()
		for ran.Load() < 6000 {
			runtime.Gosched()
		}
		settle(s.pool, [3]int{0, 0, 0})
	}
}
