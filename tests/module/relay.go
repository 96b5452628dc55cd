// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"sync"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/export"
	"github.com/pillion-dev/pillion/executor/future"
	"github.com/pillion-dev/pillion/foreign/channel"
)

// A relay has stations, each on a loop of its own. A token goes from station to
// station, and leaves the relay after so many hops. A station that closes gets no more
// tokens.
type relay struct {
	sync.Mutex
	stations [4]struct {
		queue   []token
		waiters []waiter // none while tokens are queued
		closed  bool
		hops    int
	}
	hops    int
	arrived map[int]int // how often
	changed *sync.Cond
}

type token struct{ id, left int } // id 0: the station is closed

// waiter is a promise of a task, or the box of a goroutine.
type waiter interface{ Resolve(token) bool }

type box chan token // with room for one

func (b box) Resolve(t token) bool {
	b <- t
	return true
}

var running *relay

func newRelay() *relay {
	r := &relay{arrived: map[int]int{}}
	r.changed = sync.NewCond(r)
	return r
}

// deliver gives a token to the next open station after `at`. The lock is held.
func (r *relay) deliver(t token, at int) {
	for range r.stations {
		at = (at + 1) % len(r.stations)
		s := &r.stations[at]
		if s.closed {
			continue
		}
		if len(s.waiters) > 0 {
			s.waiters[0].Resolve(t)
			s.waiters = s.waiters[1:]
		} else {
			s.queue = append(s.queue, t)
		}
		return
	}
	panic("no station is open")
}

func (r *relay) hop(t token, at int) {
	r.Lock()
	defer r.Unlock()
	r.hops++
	r.stations[at].hops++
	r.changed.Broadcast()
	if t.left--; t.left > 0 {
		r.deliver(t, at)
		return
	}
	r.arrived[t.id]++
}

// take gives the waiter the next token of the station, now or later.
func (r *relay) take(at int, w waiter) {
	r.Lock()
	defer r.Unlock()
	s := &r.stations[at]
	switch {
	case len(s.queue) > 0:
		w.Resolve(s.queue[0])
		s.queue = s.queue[1:]
	case s.closed:
		w.Resolve(token{})
	default:
		s.waiters = append(s.waiters, w)
	}
}

// leave takes a waiter back. It reports whether that was in time.
func (r *relay) leave(at int, w waiter) bool {
	r.Lock()
	defer r.Unlock()
	s := &r.stations[at]
	i := slices.Index(s.waiters, w)
	if i >= 0 {
		s.waiters = slices.Delete(s.waiters, i, i+1)
	}
	return i >= 0
}

// close ends a station whose workers take what is queued, or sends that on.
func (r *relay) close(at int, forward bool) {
	r.Lock()
	defer r.Unlock()
	s := &r.stations[at]
	s.closed = true
	for _, w := range s.waiters {
		w.Resolve(token{})
	}
	s.waiters = nil
	if forward {
		queue := s.queue
		s.queue = nil
		for _, t := range queue {
			r.deliver(t, at)
		}
	}
}

// station runs a Local on this thread, with workers that are tasks.
func (r *relay) station(at, workers int) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	loop := channel.New()
	local := executor.New(executor.Config{Host: loop})
	for range workers {
		_, err := executor.Spawn(local, coro.New(func(co *coro.Co) (struct{}, error) {
			for {
				p := future.NewPromise[token](nil)
				r.take(at, p)
				t, err := coro.Await(co, p)
				if err != nil || t.id == 0 {
					return struct{}{}, err
				}
				r.hop(t, at)
			}
		}))
		if err != nil {
			return err
		}
	}
	if err := loop.Run(local); err != nil {
		return err
	}
	return local.Free()
}

func init() {
	export.Func("test.relay_open", func(context.Context, []byte) ([]byte, error) {
		running = newRelay()
		return nil, nil
	})
	export.Func("test.relay_send", func(_ context.Context, request string) ([]byte, error) {
		var tokens, hops int
		if _, err := fmt.Sscan(request, &tokens, &hops); err != nil {
			return nil, err
		}
		running.Lock()
		defer running.Unlock()
		for id := range tokens {
			running.deliver(token{1 + id, hops}, id)
		}
		return nil, nil
	}, export.Doc("Sends so many tokens on their way of so many hops."))
	export.Func("test.relay_reach", func(_ context.Context, hops string) (string, error) {
		n, err := strconv.Atoi(hops)
		running.Lock()
		defer running.Unlock()
		for running.hops < n {
			running.changed.Wait()
		}
		return strconv.Itoa(running.hops), err
	}, export.Doc("Waits until the tokens have made so many hops."))
	export.Func("test.relay_take", func(ctx context.Context, station string) (string, error) {
		at, err := strconv.Atoi(station)
		if err != nil {
			return "", err
		}
		mine := make(box, 1)
		running.take(at, mine)
		select {
		case <-ctx.Done():
			if running.leave(at, mine) {
				return "", ctx.Err()
			}
		case t := <-mine:
			mine <- t
		}
		t := <-mine
		return fmt.Sprint(t.id, t.left), nil
	}, export.Doc("Waits for a token; a cancel in time takes none. Token 0: the station has closed."))
	export.Func("test.relay_hop", func(_ context.Context, request string) ([]byte, error) { return nil, relayHop(request) },
		export.Doc("A station passes a token on."))
	export.Loop("test.relay_loop_hop", func(co *coro.Co, request string) ([]byte, error) {
		if err := co.Yield(); err != nil {
			return nil, err
		}
		return nil, relayHop(request)
	})
	export.Func("test.relay_close", func(_ context.Context, request string) (string, error) {
		var at, forward int
		if _, err := fmt.Sscan(request, &at, &forward); err != nil {
			return "", err
		}
		running.close(at, forward != 0)
		return "", nil
	}, export.Doc("Closes a station. 1 beside it: what is queued there goes to the next."))
	export.Func("test.relay_station", func(_ context.Context, request string) (string, error) {
		var at, workers int
		if _, err := fmt.Sscan(request, &at, &workers); err != nil {
			return "", err
		}
		return "", running.station(at, workers)
	}, export.Doc("Is a station with a Local and so many tasks, until it is closed."))
	export.Func("test.relay_end", func(context.Context, []byte) (string, error) {
		running.Lock()
		defer running.Unlock()
		twice := 0
		for _, times := range running.arrived {
			twice += times - 1
		}
		s := &running.stations
		return fmt.Sprint(len(running.arrived), twice, running.hops, s[0].hops, s[1].hops, s[2].hops, s[3].hops), nil
	}, export.Doc("Counts tokens that have arrived, those that did so twice, and hops: all, and each station's."))
}

func relayHop(request string) error {
	var at int
	var t token
	if _, err := fmt.Sscan(request, &at, &t.id, &t.left); err != nil {
		return err
	}
	running.hop(t, at)
	return nil
}
