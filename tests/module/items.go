// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"fmt"
	"iter"
	"runtime"
	"strconv"
	"sync/atomic"

	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/export"
)

// numbered is a call of numbered items. One runs at a time.
type numbered struct {
	Items int `json:"items"`
	Pause int `json:"pause"` // it lets others run after so many
}

// What the latest call has done: items that the carrier has taken, and that it has given.
var gave, took, faults, ended atomic.Int64

// begin counts from zero, and end says that the function has returned.
func (n numbered) begin() {
	gave.Store(0)
	took.Store(0)
}

func end() { ended.Add(1) }

func (n numbered) gives(yield func(string, error) bool) {
	for i := range n.Items {
		if !yield(strconv.Itoa(i), nil) {
			return
		}
		gave.Add(1)
	}
}

// takes reads the items, which are numbered from zero, and gives each to then.
func (n numbered) takes(items iter.Seq2[string, error], then func(string) bool) error {
	i := 0
	for item, err := range items {
		if err != nil {
			return err
		}
		if item != strconv.Itoa(i) {
			faults.Add(1)
			return fmt.Errorf("item %d is %q", i, item)
		}
		i++
		took.Add(1)
		if i%n.Pause == 0 {
			runtime.Gosched()
		}
		if !then(item) {
			return nil
		}
	}
	return nil
}

func init() {
	stream := func(_ context.Context, n numbered) iter.Seq2[string, error] {
		return func(yield func(string, error) bool) {
			n.begin()
			defer end()
			n.gives(yield)
		}
	}
	export.Stream("items.stream_goroutine", stream)
	export.Stream("items.stream_cpu", stream, export.CPUBound())
	export.LoopStream("items.stream_loop", func(co *coro.Co, n numbered, out *export.Out[string]) error {
		n.begin()
		defer end()
		for i := range n.Items {
			if err := out.Send(co, strconv.Itoa(i)); err != nil {
				return err
			}
			gave.Add(1)
		}
		return nil
	})
	export.Collect("items.collect_goroutine", func(_ context.Context, n numbered, items iter.Seq2[string, error]) (int, error) {
		n.begin()
		defer end()
		err := n.takes(items, func(string) bool { return true })
		return int(took.Load()), err
	})
	export.Duplex("items.duplex_goroutine", func(_ context.Context, n numbered, items iter.Seq2[string, error]) iter.Seq2[string, error] {
		return func(yield func(string, error) bool) {
			n.begin()
			defer end()
			err := n.takes(items, func(item string) bool {
				if !yield(item, nil) {
					return false
				}
				gave.Add(1)
				return true
			})
			if err != nil {
				yield("", err)
			}
		}
	})
	export.Func("items.count", func(context.Context, struct{}) (string, error) {
		return fmt.Sprint(gave.Load(), " ", took.Load(), " ", faults.Load(), " ", ended.Load()), nil
	}, export.Doc("Tells what the latest call gave and took, all faults, and how many have ended."))
}
