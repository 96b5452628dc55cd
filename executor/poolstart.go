// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"runtime"
	"slices"
	"sync/atomic"
	"time"
)

// hand is a goroutine that does nothing but work for a pool, and the host of its own
// Local.
type hand struct {
	pool  *Pool
	crew  *crew
	local *Local
	woken chan struct{} // holds one
	timer *time.Timer   // nil until the first deadline
	stop  atomic.Bool
	done  chan struct{}
}

// Wake implements [Host].
func (h *hand) Wake() error {
	select {
	case h.woken <- struct{}{}:
	default:
	}
	return nil
}

// Start starts n goroutines that work for the pool until [Pool.Stop]. They sleep
// while there is nothing to do. Without it a pool has no goroutine at all. Any
// goroutine may call it, and more than once, for more of them. One that a future ends
// by runtime.Goexit is replaced.
//
// # Errors
//
// Those of [Pool.Join]; none was started then.
func (p *Pool) Start(n int) error {
	var hands []*hand
	for range n {
		h := &hand{pool: p, crew: p.enlist(), woken: make(chan struct{}, 1), done: make(chan struct{})}
		h.local = New(Config{Host: h, Clock: p.clock, Arena: p.arena})
		if err := p.join(h.local, h.crew); err != nil {
			p.discharge(h.crew)
			dismiss(hands)
			return err
		}
		hands = append(hands, h)
		go h.work()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hands = append(p.hands, hands...)
	return nil
}

// Run spawns f on a pool and waits for its result, in a goroutine that has nothing else
// to do: not in a task. An [OnDone] among the options isn't called.
//
//	pool := executor.NewPool(executor.PoolConfig{})
//	err := pool.Start(runtime.GOMAXPROCS(0))
//	n, err := executor.Run(pool, count)
//
// # Errors
//
// The task's, and those of [Spawn].
func Run[T any](p *Pool, f Future[T], options ...Option[T]) (value T, err error) {
	done := make(chan struct{})
	var ended OnDone[T] = func(v T, e error, _ Outcome) {
		value, err = v, e
		close(done)
	}
	if _, err := Spawn(p, f, append(slices.Clip(options), ended)...); err != nil {
		return value, err
	}
	<-done
	return value, err
}

// Stop ends the goroutines of [Pool.Start] and waits for them. Tasks that haven't
// finished are left to other workers, except for those that are inside a coroutine:
// with the last goroutine they are cancelled. A task must not call Stop.
func (p *Pool) Stop() {
	p.mu.Lock()
	hands := p.hands
	p.hands = nil
	p.mu.Unlock()
	dismiss(hands)
}

func dismiss(hands []*hand) {
	for _, h := range hands {
		h.stop.Store(true)
		_ = h.Wake()
	}
	for _, h := range hands {
		<-h.done
	}
}

func (h *hand) work() {
	defer h.end()
	for !h.stop.Load() {
		progress, err := h.local.Poll(Budget{})
		if err != nil {
			h.stop.Store(true) // somebody has freed its Local
			return
		}
		if progress.More {
			runtime.Gosched() // nothing preempts a goroutine on wasm
		} else {
			h.sleep(progress.Deadline)
		}
	}
}

// end is also called when a polled future ends the goroutine by Goexit: another one
// goes on then, or the pool's tasks would have nobody.
func (h *hand) end() {
	if !h.stop.Load() {
		go h.work()
		return
	}
	h.pool.discharge(h.crew)
	h.local.Free()
	close(h.done)
}

func (h *hand) sleep(deadline int64) {
	if deadline == Never {
		<-h.woken
		return
	}
	d := time.Duration(deadline - h.local.Now())
	if h.timer == nil {
		h.timer = time.NewTimer(d)
	} else {
		h.timer.Reset(d)
	}
	select {
	case <-h.woken:
	case <-h.timer.C:
	}
	h.timer.Stop()
}
