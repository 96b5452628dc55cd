// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/future"
	"github.com/pillion-dev/pillion/executor/offload"
)

func init() { cases["random_programs"] = random }

// program is coroutines that await all kinds of things, and cancel each other.
type program struct {
	*rig
	rnd          *rand.Rand
	tasks        []*executor.Task[int]
	begun, ended int
}

func random(r *rig) {
	for seed := range uint64(40) {
		p := &program{rig: r, rnd: rand.New(rand.NewPCG(seed, 1))}
		for range 1 + p.rnd.IntN(12) {
			p.spawn(0)
		}
		r.run()
		r.is(p.begun == p.ended && r.l.Live() == 0, "seed", seed, p.begun, "bodies began,", p.ended, "ended")
		for _, task := range p.tasks {
			err := task.Err()
			r.is(task.Done() && (err == nil || errors.Is(err, executor.ErrCancelled)), "seed", seed, err)
		}
	}
}

func (p *program) spawn(depth int) *executor.Task[int] {
	task := spawn(p.rig, coro.New(func(co *coro.Co) (int, error) {
		p.begun++
		defer func() { p.ended++ }()
		for range p.rnd.IntN(8) {
			if err := p.step(co, depth); err != nil {
				return 0, err
			}
		}
		return depth, nil
	}))
	p.tasks = append(p.tasks, task)
	return task
}

func (p *program) step(co *coro.Co, depth int) error {
	switch p.rnd.IntN(9) {
	case 0:
		return co.Yield()
	case 1, 2:
		_, err := coro.Await(co, future.Sleep(time.Duration(p.rnd.IntN(2000))*time.Microsecond))
		return err
	case 3:
		_, err := coro.Await(co, offload.Go(func(context.Context) (int, error) { return 0, nil }))
		return err
	case 4:
		promise := future.NewPromise[int](nil)
		go promise.Resolve(0)
		_, err := coro.Await(co, promise)
		return err
	case 5:
		if depth < 3 {
			task := p.spawn(depth + 1)
			if _, err := coro.Await(co, task); !task.Done() {
				return err // this one was cancelled
			}
		}
	case 6:
		p.tasks[p.rnd.IntN(len(p.tasks))].Cancel()
	case 7:
		return receive(co, p.rig)
	case 8:
		if p.rnd.IntN(20) == 0 {
			runtime.GC()
		}
	}
	return nil
}
