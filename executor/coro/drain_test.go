// SPDX-License-Identifier: Apache-2.0

package coro

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/future"
	"github.com/pillion-dev/pillion/executor/internal/test"
)

// choir is coroutines that await each other in combinators, with limits on the time.
type choir struct {
	l            *executor.Local
	rnd          *rand.Rand
	now          int64
	tasks        []*executor.Task[int]
	promises     []*future.Promise[int]
	begun, ended int
}

func (w *choir) body(depth int) func(co *Co) (int, error) {
	return func(co *Co) (int, error) {
		w.begun++
		defer func() { w.ended++ }()
		if w.rnd.IntN(3) == 0 {
			defer Shield(co, func() error { return w.step(co, depth) })
		}
		for range w.rnd.IntN(4) {
			if err := w.step(co, depth); err != nil && w.rnd.IntN(3) > 0 {
				return 0, err
			}
		}
		return 1, nil
	}
}

// future is a coroutine, or a promise that is kept sooner or later.
func (w *choir) future(depth int) executor.Future[int] {
	if depth < 4 && w.rnd.IntN(3) > 0 {
		return New(w.body(depth + 1))
	}
	p := future.NewPromise[int](nil)
	w.promises = append(w.promises, p)
	return p
}

func (w *choir) step(co *Co, depth int) (err error) {
	a, b := w.future(depth), w.future(depth)
	soon := time.Duration(w.rnd.IntN(6))
	switch w.rnd.IntN(10) {
	case 0:
		return co.Yield()
	case 1:
		_, err = Await(co, future.Sleep(soon))
	case 2, 3:
		_, err = Await(co, future.Timeout(soon, a))
	case 4:
		_, err = Await(co, future.All(a, b))
	case 5:
		_, err = Await(co, future.Race(a, b))
	case 6:
		_, err = Await(co, future.First(a, b))
	case 7:
		_, err = Await(co, future.Join2(a, b))
	case 8:
		_, err = Await(co, future.Scoped(executor.ScopeConfig{}, func(s *executor.Scope) executor.Future[int] {
			executor.Spawn(s, a)
			return b
		}))
	default:
		err = WithScope(co, executor.ScopeConfig{Limit: w.rnd.IntN(3)}, func(s *executor.Scope) error {
			executor.Spawn(s, a)
			executor.Spawn(s, b)
			return co.Yield()
		})
	}
	return err
}

func (w *choir) turn() (live int) {
	w.now += int64(w.rnd.IntN(3))
	live = poll(w.l).Live
	if n := len(w.promises); n > 0 {
		w.promises[w.rnd.IntN(n)].Resolve(1)
	}
	if n := len(w.tasks); w.rnd.IntN(6) == 0 {
		w.tasks[w.rnd.IntN(n)].Cancel()
	}
	return live
}

// A closed executor comes to its end without force: a task that unwinds is woken,
// whatever it awaits there.
func TestCancelledExecutorRunsDry(t *testing.T) {
	for seed := range uint64(400) {
		w := &choir{rnd: rand.New(rand.NewPCG(seed, 3)), now: 1}
		w.l = executor.New(executor.Config{Clock: func() int64 { return w.now }})
		for range 4 {
			task, err := executor.Spawn(w.l, New(w.body(0)))
			if err != nil {
				t.Fatal(err)
			}
			w.tasks = append(w.tasks, task)
		}
		for range 20 {
			w.turn()
		}
		w.l.Close(executor.CloseCancel)
		for turns := 0; w.turn() > 0; turns++ {
			for _, p := range w.promises {
				p.Resolve(1)
			}
			if turns == 1000 {
				t.Fatalf("seed %d: somebody is never woken", seed)
			}
		}
		test.Equal(t, "bodies that ended", w.ended, w.begun)
		test.Equal(t, "suspended", Suspended(w.l), 0)
		w.l.Free()
	}
}
