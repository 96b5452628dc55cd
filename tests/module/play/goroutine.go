// SPDX-License-Identifier: Apache-2.0

package play

import (
	"context"
	"fmt"
	"io"
	"iter"
)

// goroutine is a script that may block.
type goroutine struct {
	*Request
	ctx   context.Context
	next  func() (string, error, bool)
	end   func()
	yield func(string, error) bool
}

func (g *goroutine) item(text string) error {
	if g.yield(text, nil) {
		return nil
	}
	if err := g.ctx.Err(); err != nil {
		return err
	}
	return context.Canceled // the flow hears of it before the context does
}

func (g *goroutine) read() (string, error) {
	item, err, ok := g.next()
	if !ok {
		return "", io.EOF
	}
	return item, err
}

func (g *goroutine) stop() { g.end() }

func (g *goroutine) tell(i int, text string) error { return g.Tell[i].Send(g.ctx, text) }

func (g *goroutine) ask(i int, text string) (string, error) { return g.Ask[i].Call(g.ctx, text) }

func (g *goroutine) fetch(text string) (string, error) { return fetch.Call(g.ctx, text) }

func (g *goroutine) ranges(text string, most int) (string, error) {
	n := 0
	for item, err := range feed.Range(g.ctx, text) {
		if err != nil {
			return "", err
		}
		g.saw("%s", word(item))
		if n++; n == most {
			break
		}
	}
	return "end", nil
}

func (g *goroutine) pours(text string, most int) (string, error) {
	return sum.Call(g.ctx, text, func(yield func(string, error) bool) {
		for i := range most {
			if !yield(fmt.Sprint("x", i+1), nil) {
				return
			}
		}
	})
}

func (g *goroutine) begin(i int, text string) { go g.Ask[i].Call(context.Background(), text) }

func (g *goroutine) drop() {} // its return does so

func (g *goroutine) pend() error {
	select {
	case <-gate(g.Play, g.Name):
		return nil
	case <-g.ctx.Done():
		return g.ctx.Err()
	}
}

func (g *goroutine) err() error { return g.ctx.Err() }

// pulled makes the items from the caller those of read.
func (g *goroutine) pulled(items iter.Seq2[string, error]) *goroutine {
	g.next, g.end = iter.Pull2(items)
	return g
}

func (g *goroutine) pouring() iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		gone := false
		g.yield = func(item string, err error) bool {
			gone = gone || !yield(item, err)
			return !gone
		}
		if g.end != nil {
			defer g.end()
		}
		if _, err := g.run(g); err != nil && !gone {
			yield("", err)
		}
	}
}
