// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"sync"
	"sync/atomic"

	"github.com/pillion-dev/pillion/executor/internal/steal"
)

// PoolConfig is what a [Pool] is made of. It isn't changed afterwards, and the zero
// PoolConfig is a good one.
type PoolConfig struct {
	MaxTasks int    // live tasks over which Spawn answers ErrAgain; 0 is no limit
	Seed     uint64 // from whom workers steal first depends on it
	Arena    Arena  // where its cells come from; nil is the process's, see SetArena

	MaxTimers int          // armed timers over which one more answers ErrAgain; 0 is no limit
	Context   ContextHooks // what every task carries from its spawn to its polls; nil is nothing

	// Clock is that of the workers that Start makes; nil is Go's own clock.
	Clock func() int64

	// Inbox is where its cells wait for a worker; nil is one of its own. A carrier
	// gives one that C pushes to, and then calls Wake of an idle worker's host.
	Inbox *Inbox
}

// Pool is an executor whose tasks move between threads. It has none of its own: a
// [Local] joins it as a worker and polls the pool's tasks in its own turns, beside
// its own tasks, which stay with it.
//
//	pool := executor.NewPool(executor.PoolConfig{})
//	err := pool.Join(l) // on each loop that lends its thread
//	t, err := executor.Spawn(pool, future)
//
// # Notes
//
// Any goroutine may spawn on a pool, and call all of its methods but [Pool.Join] and
// [Pool.Leave], which are for the owner of the Local. A future on a pool is never
// polled by two workers at once, and each poll sees what the last one wrote; it is
// polled, dropped and reported to OnDone by any worker.
//
// Workers must have the same clock.
type Pool struct {
	// Shared with wakers.
	inbox   *Inbox
	gone    atomic.Bool   // no task is left, and none will come
	closing atomic.Uint32 // the mode that Close asked for
	idle    steal.Set
	timers  poolTimers
	live    atomic.Int64
	asking  atomic.Int32 // calls of Close that go through the cells

	max   int
	arena Arena
	seed  uint64
	clock func() int64
	hooks ContextHooks

	mu        sync.Mutex // for what follows
	freed     bool       // nobody joins any more
	workers   int
	members   [steal.Workers]atomic.Pointer[worker] // read without the lock
	span      atomic.Int32                          // members beyond it are nil
	store     slotStore
	group     *goGroup // nil while none of it works
	goWorkers []*goWorker
}

// NewPool makes a pool without workers. It starts nothing.
func NewPool(c PoolConfig) *Pool {
	p := &Pool{inbox: c.Inbox, max: c.MaxTasks, seed: c.Seed, arena: c.Arena, clock: c.Clock, hooks: c.Context}
	p.timers.max = c.MaxTimers
	p.timers.next.Store(Never)
	if p.inbox == nil {
		p.inbox = new(Inbox)
	}
	if p.arena == nil {
		p.arena = useArena()
	}
	return p
}

// Join makes l a worker of the pool, until [Pool.Leave] or [Local.Free]. It is for
// the owner of l, outside of a poll. A Local is in one pool at a time.
//
// # Errors
//
// [ErrJoined] if l is a worker already, [ErrClosed] if l or the pool was freed,
// [ErrReentrant] from inside a poll, [ErrAgain] if the pool has 256 workers.
func (p *Pool) Join(l *Local) error { return p.join(l, nil) }

// join is Join as one of Start's goroutines, or as nobody else.
func (p *Pool) join(l *Local, c *goGroup) error {
	if l.polling {
		return ErrReentrant
	}
	if l.worker != nil {
		return ErrJoined
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
	l.wakeHost() // it hasn't looked at the pool yet
	return nil
}

// admit gives a worker its place.
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

// Leave ends what [Pool.Join] began: the pool's tasks that waited for l's turn go to
// the other workers. l keeps its own. It is for the owner of l, outside of a poll.
//
// # Errors
//
// [ErrNotJoined] if l is no worker of this pool, [ErrReentrant] from inside a poll,
// and [ErrSuspended] while coroutines of the pool are suspended on l's thread, which
// [Carrier.Retire] ends.
func (p *Pool) Leave(l *Local) error {
	if l.polling {
		return ErrReentrant
	}
	if l.worker == nil || l.worker.pool != p {
		return ErrNotJoined
	}
	if l.place.Suspended() > 0 {
		return ErrSuspended
	}
	l.worker.leave()
	return nil
}

// leave hands over what the worker has, and sees to it that somebody takes it up.
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
	// Also for what it was poked for, which may be in another's ring, and for the
	// deadline, which nobody else may have reported.
	if poked || !p.inbox.Empty() || p.timers.next.Load() != Never {
		p.poke(nil)
	}
}

// requeue gives all that is due to the pool's inbox.
func (w *worker) requeue() {
	for w.ring.Len() > 0 {
		for _, slot := range w.batch[:w.ring.Pop(w.batch[:])] {
			w.pool.inbox.Push(slot)
		}
	}
	for w.bound.Len() > 0 {
		for _, slot := range w.batch[:w.bound.Pop(w.batch[:])] {
			w.pool.inbox.Push(slot)
		}
	}
}

// Live says how many tasks haven't finished. For any goroutine.
func (p *Pool) Live() int { return int(p.live.Load()) }

// Workers says how many Locals are joined. For any goroutine.
func (p *Pool) Workers() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.workers
}
