// SPDX-License-Identifier: Apache-2.0

package coro

import (
	"math/rand/v2"
	"testing"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/internal/test"
)

// troupe is coroutines that open scopes in each other, and fail at any point.
type troupe struct {
	t            *testing.T
	l            *executor.Local
	rnd          *rand.Rand
	tasks        []*executor.Task[int]
	begun, ended int
	ending       bool // the executor is: no shield counts
}

// body takes random steps. The shields around it are those of its caller.
func (w *troupe) body(co *Co, depth, shields int) (err error) {
	for range w.rnd.IntN(6) {
		switch w.rnd.IntN(10) {
		case 0, 1:
			err = co.Yield()
			if shields > 0 && err != nil && !w.ending && !co.evict {
				w.t.Fatal("a section was interrupted")
			}
		case 2:
			_, err = Await(co, New(func(co *Co) (int, error) { return 0, w.body(co, depth+1, 0) }))
		case 3:
			err = Shield(co, func() error {
				if depth > 3 {
					return co.Yield()
				}
				return w.body(co, depth+1, shields+1)
			})
		case 4, 5:
			err = w.scope(co, depth)
		case 6:
			if len(w.tasks) > 0 {
				w.any().Cancel() // no Evict: it could be a parent's, whose child is this
			}
		case 8:
			if len(w.tasks) > 0 {
				w.l.CancelLocal(w.any().Handle()) // also its own
			}
		case 9:
			co.Context().WakeSelf()
		case 7:
			switch w.rnd.IntN(8) {
			case 0:
				panic("any")
			case 1:
				return errFailed
			}
		}
		if err != nil && w.rnd.IntN(2) == 0 {
			return err
		}
	}
	return err
}

func (w *troupe) scope(co *Co, depth int) error {
	if depth > 3 {
		return nil
	}
	var children []*executor.Task[int]
	defer func() {
		for _, c := range children {
			if !c.Done() {
				w.t.Fatal("a child has outlived its scope")
			}
		}
	}()
	return WithScope(co, executor.ScopeConfig{Limit: w.rnd.IntN(3)}, func(s *executor.Scope) error {
		for range w.rnd.IntN(4) {
			if c := w.spawn(depth+1, func(body func(co *Co) (int, error)) (*executor.Task[int], error) { return Spawn(s, body) }); c != nil {
				children = append(children, c)
			}
		}
		return w.body(co, depth+1, 0)
	})
}

func (w *troupe) spawn(depth int, spawn func(func(co *Co) (int, error)) (*executor.Task[int], error)) *executor.Task[int] {
	task, err := spawn(func(co *Co) (int, error) {
		w.begun++
		defer func() { w.ended++ }()
		defer Shield(co, co.Yield)
		return 1, w.body(co, depth, 0)
	})
	if err == nil {
		w.tasks = append(w.tasks, task)
	}
	return task
}

func (w *troupe) any() *executor.Task[int] { return w.tasks[w.rnd.IntN(len(w.tasks))] }

func TestCoroutinesInAnyOrder(t *testing.T) {
	for seed := range uint64(300) {
		w := &troupe{t: t, l: executor.New(executor.Config{}), rnd: rand.New(rand.NewPCG(seed, 2))}
		for range 4 {
			w.spawn(0, func(body func(co *Co) (int, error)) (*executor.Task[int], error) {
				return executor.Spawn(w.l, New(body))
			})
		}
		for range 30 {
			poll(w.l)
			switch w.rnd.IntN(8) {
			case 0:
				w.any().Cancel()
			case 1:
				w.l.Evict(w.any().Handle())
			}
		}
		w.ending = true
		if seed%2 == 0 {
			w.l.Carrier().Retire()
			test.Equal(t, "suspended after Retire", Suspended(w.l), 0)
		}
		w.l.Free()
		test.Equal(t, "suspended", Suspended(w.l), 0)
		test.Equal(t, "live", w.l.Live(), 0)
		if w.begun != w.ended {
			t.Fatalf("seed %d: %d bodies have begun and %d ended", seed, w.begun, w.ended)
		}
	}
}
