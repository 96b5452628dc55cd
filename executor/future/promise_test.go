// SPDX-License-Identifier: Apache-2.0

package future

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	. "github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/internal/test"
)

func TestPromise(t *testing.T) {
	failed := errors.New("failed")
	for name, complete := range map[string]func(p *Promise[int]) bool{
		"resolved": func(p *Promise[int]) bool { return p.Resolve(7) },
		"rejected": func(p *Promise[int]) bool { return p.Reject(failed) },
	} {
		for _, before := range []bool{true, false} {
			t.Run(fmt.Sprint(name, before), func(t *testing.T) {
				r := newRig(t)
				p := NewPromise[int](func() { t.Error("cancelled") })
				task := mustSpawn[int](t, r.Local, p)
				if before {
					test.Equal(t, "first", complete(p), true)
					r.turn(1)
				} else {
					r.turn(1)
					test.Equal(t, "first", complete(p), true)
					r.turn(1)
				}
				test.Equal(t, "first", p.Resolve(9), false)
				r.turn(0)
				v, err := task.Result()
				if name == "resolved" {
					test.Equal(t, "value", v, 7)
					test.Equal(t, "error", err, nil)
				} else {
					test.Equal(t, "error", err, failed)
				}
			})
		}
	}
}

func TestCancelledTaskCancelsItsPromise(t *testing.T) {
	for name, end := range map[string]func(*rig, Handle){
		"cancel": func(r *rig, h Handle) { h.Cancel(); r.turn(0) },
		"evict":  func(r *rig, h Handle) { r.Evict(h) },
		"free":   func(r *rig, h Handle) { r.Free() },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			cancels := 0
			var p *Promise[int]
			p = NewPromise[int](func() {
				cancels++
				test.Equal(t, "reject from inside", p.Reject(ErrCancelled), false)
			})
			task := mustSpawn[int](t, r.Local, p)
			r.turn(1)
			end(r, task.Handle())
			p.Drop()
			test.Equal(t, "first", p.Resolve(1), false)
			test.Equal(t, "cancels", cancels, 1)
			test.Equal(t, "outcome", task.Outcome(), CancelledRunning)
		})
	}
}

func TestPromiseHasOneWaiter(t *testing.T) {
	r := newRig(t)
	p := new(Promise[int]) // the zero Promise is one too
	await := Func[int](p.Poll)
	first, second := mustSpawn[int](t, r.Local, await), mustSpawn[int](t, r.Local, await)
	r.turn(2)
	_, err := second.Result()
	test.Equal(t, "error", err, ErrBusy)
	first.Cancel()
	r.turn(0)
	third := mustSpawn[int](t, r.Local, await)
	r.turn(1)
	p.Resolve(3)
	r.turn(1)
	v, err := third.Result()
	test.Equal(t, "value", v, 3)
	test.Equal(t, "error", err, nil)
	dropped := new(Promise[int])
	dropped.Drop()
	after := mustSpawn[int](t, r.Local, Func[int](dropped.Poll))
	r.turn(1)
	test.Equal(t, "error", after.Err(), ErrCancelled)
}

// actor is somebody who takes steps in their order; a step may be impossible.
type actor []func()

// interleave calls run with every order in which the actors can take their steps.
func interleave(lengths []int, run func(order []int)) {
	var order []int
	var step func()
	step = func() {
		over := true
		for i := range lengths {
			if lengths[i] > 0 {
				over = false
				lengths[i]--
				order = append(order, i)
				step()
				order = order[:len(order)-1]
				lengths[i]++
			}
		}
		if over {
			run(order)
		}
	}
	step()
}

// Every order of two that complete, each in two atomic steps, and of an owner that
// polls, is cancelled and polls again.
func TestPromiseInEveryOrder(t *testing.T) {
	orders := 0
	for _, cancels := range []bool{true, false} {
		interleave([]int{2, 2, 3}, func(order []int) {
			orders++
			r := newRig(t)
			cancelled, firsts := 0, 0
			p := NewPromise[int](func() { cancelled++ })
			var task *Task[int]
			completer := func(v int) actor {
				claimed := false
				return actor{
					func() {
						if claimed = p.claim(); claimed {
							firsts++
						}
					}, func() {
						if claimed {
							p.value = v
							p.publish()
						}
					},
				}
			}
			turn := func() { r.Poll(Budget{}) }
			owner := actor{turn, turn, turn}
			if cancels {
				owner[1] = func() { task.Cancel() }
			}
			task = mustSpawn[int](t, r.Local, p)
			actors := []actor{completer(1), completer(2), owner}
			for _, who := range order {
				actors[who][0]()
				actors[who] = actors[who][1:]
			}
			turn()
			if !task.Done() {
				t.Fatalf("%v: a wake was lost", order)
			}
			v, _ := task.Result()
			switch {
			case cancelled+firsts != 1:
				t.Fatalf("%v: cancelled %d times, completed %d times", order, cancelled, firsts)
			case task.Outcome() == Returned && (firsts == 0 || v == 0):
				t.Fatalf("%v: a value from nowhere", order)
			case task.Outcome() != Returned && !cancels:
				t.Fatalf("%v: cancelled by nobody", order)
			}
			r.Free()
		})
	}
	test.Equal(t, "orders", orders, 2*210)
}

func TestPromiseAllocatesNothing(t *testing.T) {
	l := New(Config{})
	defer l.Free()
	promise := new(Promise[int])
	var waits Task[int]
	test.Equal(t, "allocations", testing.AllocsPerRun(100, func() {
		*promise = Promise[int]{}
		waits.Spawn(l, promise)
		l.Poll(Budget{})
		promise.Resolve(1)
		l.Poll(Budget{})
	}), 0)
}

func TestHammerPromise(t *testing.T) {
	const rounds, completers = 2000, 3
	h := make(test.ChanHost, 1)
	l := New(Config{Host: h})
	defer l.Free()
	returned := 0
	for i := range rounds {
		var firsts, cancels atomic.Int32
		p := NewPromise[int](func() { cancels.Add(1) })
		var wg sync.WaitGroup
		for n := range completers {
			wg.Go(func() {
				if p.Resolve(n + 1) {
					firsts.Add(1)
				}
			})
		}
		task := mustSpawn[int](t, l, p)
		if i%2 == 0 {
			task.Cancel()
		}
		for {
			progress, _ := l.Poll(Budget{})
			if progress.Live == 0 {
				break
			}
			if !progress.More {
				<-h
			}
		}
		wg.Wait()
		test.Equal(t, "ends", firsts.Load()+cancels.Load(), 1)
		if v, err := task.Result(); err == nil {
			test.Equal(t, "it has a value", v > 0, true)
			returned++
		}
	}
	if returned < rounds/2 {
		t.Errorf("%d returned", returned)
	}
}
