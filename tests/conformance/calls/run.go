// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/carrier"
	"github.com/pillion-dev/pillion/executor/export"
	"github.com/pillion-dev/pillion/executor/imports"
	"github.com/pillion-dev/pillion/executor/offload"
)

// runner runs functions. Its methods don't hold the host's lock.
type runner interface {
	start(c *call, f *export.Function, request []byte) error
	cancel(c *call)
	expire(c *call, at, now int64) // now or later
	turn(now int64)
	free()
}

func (s *stage) request(c *call) []byte {
	data, err := json.Marshal(map[string]any{"play": s.number, "name": c.name, "script": c.script,
		"ask": []int{0, 1, 2, 3}, "tell": []int{0, 1, 2, 3}})
	if err != nil {
		s.Broken("no request: %v", err)
	}
	return data
}

// ended gives the text of a call's end.
func ended(response []byte, err error, unstarted bool) string {
	var panicked *executor.PanicError
	switch {
	case err == nil:
		return word(string(response))
	case unstarted:
		return "unstarted"
	case errors.Is(err, executor.ErrCancelled), errors.Is(err, context.Canceled), err == executor.ErrClosed:
		return "cancelled"
	case errors.Is(err, executor.ErrTimedOut), errors.Is(err, context.DeadlineExceeded):
		return "late"
	case errors.As(err, &panicked):
		return "panic"
	case errors.Is(err, imports.ErrHostGone):
		return "gone"
	}
	return "failed:" + err.Error()
}

func word(text string) string {
	if text == "" {
		return "''"
	}
	return text
}

func text(word string) string {
	if word == "''" {
		return ""
	}
	return word
}

// ---- Tasks, of a Local or of a Pool whose only worker it is ---------------------------

type tasks struct {
	local *executor.Local
	pool  *executor.Pool // or nil
	all   map[*call]*executor.Task[[]byte]
}

type waker struct{ *host }

func (w waker) Wake() error { w.poke(); return nil }

func newTasks(s *stage, pooled bool) *tasks {
	t := &tasks{all: make(map[*call]*executor.Task[[]byte])}
	t.local = executor.New(executor.Config{Host: waker{s.host}, Clock: func() int64 { return s.now }})
	if pooled {
		t.pool = executor.NewPool(executor.PoolConfig{})
		if err := t.pool.Join(t.local); err != nil {
			s.Broken("no worker: %v", err)
		}
	}
	return t
}

func (t *tasks) start(c *call, f *export.Function, request []byte) (err error) {
	var to executor.Executor = t.local
	if t.pool != nil {
		to = t.pool
	}
	values := context.WithValue(context.Background(), carrier.CallKey{}, carrier.Call(c))
	t.all[c], err = executor.Spawn(to, f.Start(request, c), executor.WithValues(values),
		executor.OnDone[[]byte](func(response []byte, err error, o executor.Outcome) {
			c.returned(ended(response, err, o == executor.CancelledBeforeStart))
		}))
	return err
}

func (t *tasks) cancel(c *call) { t.all[c].Cancel() }

func (t *tasks) expire(c *call, at, _ int64) { _ = t.all[c].SetDeadline(at) }

func (t *tasks) turn(int64) {
	for {
		if p, err := t.local.Poll(executor.Budget{}); err != nil || !p.More {
			return
		}
	}
}

func (t *tasks) free() {
	if t.pool != nil {
		t.pool.Close(executor.CloseCancel)
		t.turn(0)
		_ = t.pool.Free()
	}
	_ = t.local.Free()
}

// ---- Goroutines -----------------------------------------------------------------------

type goroutines struct {
	contexts  map[*call]*offload.Context
	deadlines map[*call]int64
}

func (g *goroutines) start(c *call, f *export.Function, request []byte) error {
	ctx := new(offload.Context)
	ctx.Base = context.WithValue(context.Background(), carrier.CallKey{}, carrier.Call(c))
	g.contexts[c] = ctx
	go f.Run(ctx, request, c, func(response []byte, err error) {
		c.returned(ended(response, err, false))
	})
	return nil
}

func (g *goroutines) cancel(c *call) { g.contexts[c].Cancel() }

func (g *goroutines) expire(c *call, at, now int64) {
	g.deadlines[c] = at
	g.turn(now)
}

func (g *goroutines) turn(now int64) {
	for c, at := range g.deadlines {
		if at <= now {
			g.contexts[c].End(context.DeadlineExceeded)
			delete(g.deadlines, c)
		}
	}
}

func (g *goroutines) free() {
	for _, ctx := range g.contexts {
		ctx.Cancel()
	}
}
