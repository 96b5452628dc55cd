// SPDX-License-Identifier: Apache-2.0

package simhost_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/future"
	"github.com/pillion-dev/pillion/executor/simhost"
)

// wanderer is a task of a pool that does what chance says, and sees to it that the
// pool keeps its promises.
type wanderer struct {
	crowd   *crowd
	polling bool
	dropped bool
	left    int // until it is ready
	sleep   *executor.Timer
	gate    *gate
	join    executor.Future[int]
}

// crowd is all of them.
type crowd struct {
	sim     *simhost.Sim
	pool    *executor.Pool
	tasks   []*executor.Task[int]
	drops   int
	spawned int
}

func (c *crowd) spawn(e executor.Executor) {
	if c.spawned == 30 {
		return
	}
	c.spawned++
	var options []executor.Option
	if c.sim.Rand().IntN(6) == 0 {
		options = append(options, executor.WithDeadline(c.sim.Now()+c.sim.Rand().Int64N(50_000)))
	}
	w := &wanderer{crowd: c, left: 1 + c.sim.Rand().IntN(8)}
	t, err := simhost.Spawn(c.sim, e, fmt.Sprint("w", c.spawned), executor.Future[int](w), options...)
	if err != nil {
		c.sim.Fatalf("spawn: %v", err)
	}
	c.tasks = append(c.tasks, t)
}

func (w *wanderer) Poll(cx *executor.Context) (int, bool, error) {
	if w.polling || w.dropped {
		w.crowd.sim.Fatalf("polled twice at once, or after its drop")
	}
	w.polling = true
	defer func() { w.polling = false }()
	for {
		if w.sleep != nil {
			if _, ready, _ := w.sleep.Poll(cx); !ready {
				return 0, false, nil
			}
			w.sleep = nil
		}
		if w.gate != nil {
			if _, ready, _ := w.gate.Poll(cx); !ready {
				return 0, false, nil
			}
			w.gate = nil
		}
		if w.join != nil {
			if _, ready, _ := w.join.Poll(cx); !ready {
				return 0, false, nil
			}
			w.join = nil
		}
		if w.left--; w.left == 0 {
			return 1, true, nil
		}
		if w.next(cx) {
			return 0, false, nil
		}
	}
}

// next begins something, and says whether to come back.
func (w *wanderer) next(cx *executor.Context) bool {
	s, rnd := w.crowd.sim, w.crowd.sim.Rand()
	switch rnd.IntN(6) {
	case 0:
		cx.WakeSelf()
		return true
	case 1:
		w.sleep = future.Sleep(time.Duration(rnd.IntN(30_000)))
	case 2:
		w.gate = new(gate)
		s.After(time.Duration(rnd.IntN(30_000)), "open", w.gate.opened)
	case 3:
		w.crowd.spawn(cx)
	case 4:
		w.crowd.tasks[rnd.IntN(len(w.crowd.tasks))].Cancel()
	default: // of an older one, so that none waits for itself by way of others
		for i, t := range w.crowd.tasks {
			if t.Handle() == cx.Waker().Handle() && i > 0 {
				w.join = w.crowd.tasks[rnd.IntN(i)]
			}
		}
	}
	return false
}

func (w *wanderer) Drop() {
	if w.polling || w.dropped {
		w.crowd.sim.Fatalf("dropped in its poll, or twice")
	}
	w.dropped = true
	w.crowd.drops++
	if w.sleep != nil {
		w.sleep.Drop()
	}
}

// Workers come and go, tasks wander between them, and each ends once.
func TestPoolOfComingAndGoingWorkers(t *testing.T) {
	simhost.Run(t, func(s *simhost.Sim) {
		c := &crowd{sim: s, pool: s.Pool(executor.PoolConfig{Seed: s.Rand().Uint64()})}
		var workers []*executor.Local
		joined := make([]bool, 3)
		for i := range joined {
			workers = append(workers, s.Local(fmt.Sprint("l", i), executor.Config{}))
		}
		change := func(i int) {
			var err error
			if joined[i] {
				err = c.pool.Leave(workers[i])
			} else {
				err = c.pool.Join(workers[i])
			}
			if err != nil {
				s.Fatalf("worker %d: %v", i, err)
			}
			joined[i] = !joined[i]
		}
		change(0)
		for range 5 {
			c.spawn(c.pool)
		}
		for range 200 {
			if s.Rand().IntN(10) == 0 {
				change(s.Rand().IntN(2) + 1) // the first one stays
			}
			s.Step()
		}
		if err := s.Run(); err != nil {
			s.Fatalf("%w", err)
		}
		for _, task := range c.tasks {
			if _, err := task.Result(); err != nil && !errors.Is(err, executor.ErrCancelled) && !errors.Is(err, executor.ErrTimedOut) {
				s.Errorf("error: %v", err)
			}
		}
		if c.drops != c.spawned || c.pool.Live() != 0 {
			s.Errorf("%d drops of %d tasks, %d live", c.drops, c.spawned, c.pool.Live())
		}
	})
}
