// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"runtime"
	"sync/atomic"
	"time"
)

// goWorker is a goroutine that only works for a pool, and the host of its own Local.
type goWorker struct {
	pool  *Pool
	group *goGroup
	local *Local
	woken chan struct{} // holds one
	timer *time.Timer
	stop  atomic.Bool
	done  chan struct{}
}

// Wake implements [Host].
func (g *goWorker) Wake() error {
	select {
	case g.woken <- struct{}{}:
	default:
	}
	return nil
}

// Start starts n goroutines that work for the pool until [Pool.Stop], and sleep while
// there is no work. Without it a pool has no goroutine at all. Any goroutine may call
// it, again for more of them. If a future ends one by runtime.Goexit, another takes its
// place.
//
// # Errors
//
// Those of [Pool.Join]; then it has started none.
func (p *Pool) Start(n int) error {
	var started []*goWorker
	for range n {
		g := &goWorker{pool: p, group: p.enlist(), woken: make(chan struct{}, 1), done: make(chan struct{})}
		g.timer = time.NewTimer(Never)
		g.local = New(Config{Host: g, Clock: p.clock, Arena: p.arena})
		if err := p.join(g.local, g.group); err != nil {
			p.discharge(g.group)
			dismiss(started)
			return err
		}
		started = append(started, g)
		go g.work()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.goWorkers = append(p.goWorkers, started...)
	return nil
}

// Stop ends the goroutines of [Pool.Start] and waits for them. It leaves unfinished
// tasks to other workers. Only tasks inside a coroutine are cancelled, with the last
// goroutine. A task must not call Stop.
func (p *Pool) Stop() {
	p.mu.Lock()
	all := p.goWorkers
	p.goWorkers = nil
	p.mu.Unlock()
	dismiss(all)
}

func dismiss(all []*goWorker) {
	for _, g := range all {
		g.stop.Store(true)
		_ = g.Wake()
	}
	for _, g := range all {
		<-g.done
	}
}

func (g *goWorker) work() {
	defer g.end()
	for !g.stop.Load() {
		progress, err := g.local.Poll(Budget{})
		if err != nil {
			g.stop.Store(true) // its Local was freed
			return
		}
		if progress.More {
			runtime.Gosched() // nothing preempts a goroutine on wasm
		} else {
			g.sleep(progress.Deadline)
		}
	}
}

// end also runs when a future ends the goroutine by Goexit. Then another goroutine goes
// on, or the pool's tasks would have no worker.
func (g *goWorker) end() {
	if !g.stop.Load() {
		go g.work()
		return
	}
	g.pool.discharge(g.group)
	g.local.Free()
	close(g.done)
}

func (g *goWorker) sleep(deadline int64) {
	if deadline == Never {
		<-g.woken
		return
	}
	g.timer.Reset(time.Duration(deadline - g.local.Now()))
	select {
	case <-g.woken:
	case <-g.timer.C:
	}
	g.timer.Stop()
}
