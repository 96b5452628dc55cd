// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"sync"
	"sync/atomic"

	"github.com/pillion-dev/pillion/executor/carrier"
	"github.com/pillion-dev/pillion/executor/internal/cell"
	"github.com/pillion-dev/pillion/executor/internal/steal"
)

// PoolConfig configures a [Pool], and can't be changed afterwards. The zero PoolConfig
// suits most programs.
type PoolConfig struct {
	MaxTasks int    // a limit of live tasks, over which Spawn answers ErrAgain; 0 is none
	Seed     uint64 // decides from which worker each steals first

	MaxTimers int          // a limit of armed timers, over which a Timer answers ErrAgain; 0 is none
	Context   ContextHooks // carry a token from each spawn to the task's polls; nil carries none

	// Clock is the clock of the workers that Start makes; nil is Go's own.
	Clock func() int64

	// For carriers. Arena is the source of its cells; nil is the process's. Inbox is where
	// its cells wait for a worker; nil is one of its own. C pushes into a carrier's inbox,
	// and then calls Wake of an idle worker's host.
	Arena carrier.Arena
	Inbox *carrier.Inbox
}

// Pool is an executor whose tasks move between threads. It has no thread of its own. A
// [Local] joins it as a worker, and polls the pool's tasks in its own turns, beside its
// own tasks, which stay with it.
//
//	pool := executor.NewPool(executor.PoolConfig{})
//	err := pool.Join(l) // on each loop that lends its thread
//	t, err := executor.Spawn(pool, future)
//
// # Notes
//
// Any goroutine may spawn on a pool, and call all of its methods but [Pool.Join] and
// [Pool.Leave], which are for the owner of the Local. Two workers never poll a future
// of the pool at once, and each poll sees the writes of the last one. Any worker may
// poll it, drop it and report it to OnDone.
//
// Workers must have the same clock.
type Pool struct {
	// Shared with wakers.
	inbox   *cell.Inbox
	gone    atomic.Bool // no task is left, and none will come
	closing closing
	idle    steal.Set
	timers  poolTimers
	live    atomic.Int64
	asking  atomic.Int32 // calls of Close that are going through the cells

	max   int
	arena cell.Arena
	seed  uint64
	clock func() int64
	hooks ContextHooks

	mu        sync.Mutex // for what follows
	freed     bool       // no Local can join any more
	workers   int
	members   [steal.Workers]atomic.Pointer[worker] // read without the lock
	span      atomic.Int32                          // members beyond it are nil
	store     slotStore
	group     *goGroup // nil while it has no goroutine
	goWorkers []*goWorker
}

// NewPool makes a pool without workers. It starts nothing.
func NewPool(c PoolConfig) *Pool {
	p := &Pool{inbox: c.Inbox, max: c.MaxTasks, seed: c.Seed, arena: c.Arena, clock: c.Clock, hooks: c.Context}
	p.timers.max = c.MaxTimers
	p.timers.next.Store(Never)
	if p.inbox == nil {
		p.inbox = new(cell.Inbox)
	}
	if p.arena == nil {
		p.arena = cell.UseArena(&heap)
	}
	return p
}

// Join makes l a worker of the pool, until [Pool.Leave] or [Local.Free]. It is for
// the owner of l, outside of a poll. A Local is in one pool at a time.
//
// # Errors
//
// [ErrBusy] if l is a worker already, [ErrClosed] if l or the pool was freed,
// [ErrReentrant] from inside a poll, [ErrAgain] if the pool has 256 workers.
func (p *Pool) Join(l *Local) error { return p.join(l, nil) }

// join is Join, for one of Start's goroutines if c isn't nil.
func (p *Pool) join(l *Local, c *goGroup) error {
	if l.polling {
		return ErrReentrant
	}
	if l.worker != nil {
		return ErrBusy
	}
	if l.freed() {
		return ErrClosed
	}
	w := &worker{pool: p, local: l}
	w.cx = Context{l, w}
	w.pin = &pin{worker: w}
	if err := p.admit(w, c); err != nil {
		return err
	}
	l.worker = w
	l.wakeHost() // the host hasn't heard of the pool's work yet
	return nil
}

// admit gives a worker its place among the members.
func (p *Pool) admit(w *worker, c *goGroup) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.freed {
		return ErrClosed
	}
	i := 0
	for i < steal.Workers && p.members[i].Load() != nil {
		i++
	}
	if i == steal.Workers {
		return ErrAgain
	}
	w.index = i
	if c != nil {
		w.pin = &c.pin
		c.members.Add(i)
	}
	w.random = (p.seed+uint64(i))*0x9e3779b97f4a7c15 | 1
	p.members[i].Store(w)
	p.span.Store(max(p.span.Load(), int32(i+1)))
	p.workers++
	return nil
}

// Leave ends [Pool.Join]: the pool's tasks that wait for l's turn go to the other
// workers. l keeps its own tasks. It is for the owner of l, outside of a poll.
//
// # Errors
//
// [ErrWrongLocal] if l is no worker of this pool, [ErrReentrant] from inside a poll,
// and [ErrBusy] while coroutines of the pool are suspended on l's thread, which
// [Carrier.Retire] ends.
func (p *Pool) Leave(l *Local) error {
	if l.polling {
		return ErrReentrant
	}
	if l.worker == nil || l.worker.pool != p {
		return ErrWrongLocal
	}
	if l.place.Suspended() > 0 {
		return ErrBusy
	}
	l.worker.leave()
	return nil
}

// leave hands the worker's tasks over, and pokes another worker for them.
func (w *worker) leave() {
	p := w.pool
	poked := w.deregister()
	w.requeue()
	if w.pin.group != nil {
		w.pin.group.members.Remove(w.index)
	} else {
		w.pin.gone.Store(true)
		w.pin.forward(p)
	}
	p.mu.Lock()
	p.members[w.index].Store(nil)
	p.workers--
	p.store.put(w.free)
	p.mu.Unlock()
	w.local.worker = nil
	// Also for the work that it was poked for, which may be in another worker's ring,
	// and for the deadline, which no other worker may have reported.
	if poked || !p.inbox.Empty() || p.timers.next.Load() != Never {
		p.poke(nil)
	}
}

// requeue moves all due slots to the pool's inbox.
func (w *worker) requeue() {
	for w.waiting() > 0 {
		n := w.ring.Pop(w.batch[:])
		n += w.bound.Pop(w.batch[n:])
		for _, slot := range w.batch[:n] {
			w.pool.inbox.Push(slot)
		}
	}
}

// Live counts the tasks that haven't finished. For any goroutine.
func (p *Pool) Live() int { return int(p.live.Load()) }
