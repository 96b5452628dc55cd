// SPDX-License-Identifier: Apache-2.0

package export

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/internal/peer"
	"github.com/pillion-dev/pillion/executor/internal/test"
)

// What the latest function has given and taken.
var gave, took atomic.Int64

func numbers(yield func(string, error) bool, n int) {
	for i := range n {
		if !yield(strconv.Itoa(i), nil) {
			return
		}
		gave.Add(1)
	}
}

// inOrder passes numbered items on.
func inOrder(items iter.Seq2[string, error], then func(string, error) bool) error {
	for item, err := range items {
		if err == nil && item != strconv.FormatInt(took.Load(), 10) {
			err = fmt.Errorf("%s after %d items", item, took.Load())
		}
		if err != nil {
			return err
		}
		took.Add(1)
		if !then(item, nil) {
			return nil
		}
	}
	return nil
}

func init() {
	Stream("items.stream_goroutine", func(_ context.Context, n int) iter.Seq2[string, error] {
		return func(yield func(string, error) bool) { numbers(yield, n) }
	})
	LoopStream("items.stream_loop", func(co *coro.Co, n int, out *Out[string]) error {
		for i := range n {
			if err := out.Send(co, strconv.Itoa(i)); err != nil {
				return err
			}
			gave.Add(1)
		}
		return nil
	})
	Collect("items.collect_goroutine", func(_ context.Context, _ int, items iter.Seq2[string, error]) (int64, error) {
		err := inOrder(items, func(string, error) bool { return true })
		return took.Load(), err
	})
	Duplex("items.duplex_goroutine", func(_ context.Context, _ int, items iter.Seq2[string, error]) iter.Seq2[string, error] {
		return func(yield func(string, error) bool) {
			err := inOrder(items, func(item string, err error) bool {
				if !yield(item, err) {
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
}

// itemsCase is a line of tests/conformance/items/cases.
type itemsCase struct {
	shape, where         string
	items, window, pause int
	cancel               string
}

func itemsCases(t *testing.T) (all []itemsCase) {
	file, err := os.Open("../../tests/conformance/items/cases")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var c itemsCase
		n, _ := fmt.Sscan(lines.Text(), &c.shape, &c.where, &c.items, &c.window, &c.pause, &c.cancel)
		if n == 6 && c.where != "cpu" { // Run runs it like any other
			all = append(all, c)
		}
	}
	return all
}

func TestNumberedItems(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if s, err := strconv.ParseUint(os.Getenv("ITEMS_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("ITEMS_SEED=%d", seed)
	points := rand.New(rand.NewPCG(seed, 0))
	for _, c := range itemsCases(t) {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			switch c.cancel {
			case "never":
				c.play(t, -1)
			case "everywhere":
				for at := range c.items + 1 {
					c.play(t, at)
				}
			default:
				for range 5 {
					c.play(t, points.IntN(c.items))
				}
			}
		})
	}
}

// play cancels after so many items, or never.
func (c itemsCase) play(t *testing.T, stop int) {
	gave.Store(0)
	took.Store(0)
	sends := c.shape != "stream"
	window := c.window
	if c.shape == "collect" {
		window = 0
	}
	call := peer.NewCall(window, sends)
	if c.where == "loop" {
		c.read(t, stop, call, spawn(t, "items.stream_loop", strconv.Itoa(c.items), call), nil)
		return
	}
	r := run(t, "items."+c.shape+"_goroutine", strconv.Itoa(c.items), call)
	switch c.shape {
	case "collect":
		c.write(t, stop, r)
	case "duplex":
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			c.give(call, c.items)
		}()
		c.read(t, stop, call, nil, r)
		<-sent
	default:
		c.read(t, stop, call, nil, r)
	}
}

func (c itemsCase) give(call *peer.Call, n int) {
	for i := range n {
		call.Give(strconv.Itoa(i))
	}
	if n == c.items {
		call.Finish()
	}
}

func (c itemsCase) write(t *testing.T, stop int, r *running) {
	if stop < 0 {
		c.give(r.Call, c.items)
		r.wants(t, strconv.Itoa(c.items), nil)
		return
	}
	if stop < c.items {
		c.give(r.Call, stop) // it waits for more
	} else {
		c.give(r.Call, c.items)
	}
	r.cancel(true)
	got := <-r.result
	if got.err == nil {
		test.Equal(t, "response", got.response, strconv.Itoa(c.items))
		test.Equal(t, "stop", stop, c.items)
	} else if !errors.Is(got.err, context.Canceled) {
		t.Fatal(got.err)
	}
	test.Equal(t, "took more than was given", took.Load() <= int64(stop), true)
}

// read takes the items of a call on a loop, or of a running one.
func (c itemsCase) read(t *testing.T, stop int, call *peer.Call, o *onLoop, r *running) {
	granted, got := c.window, 0
	turn := func() {
		if o != nil {
			o.poll()
		}
	}
	for ; got != stop; got++ {
		turn()
		item, ok := call.Take()
		if !ok {
			break
		}
		test.Equal(t, "item", item, peer.Item{Function: -1, Payload: strconv.Itoa(got)})
		if gave.Load() > int64(granted) {
			t.Fatalf("%d items are ahead of a credit of %d", gave.Load(), granted)
		}
		if (got+1)%c.pause == 0 {
			call.Grant(c.pause)
			granted += c.pause
		}
	}
	var err error
	if got == stop {
		if o != nil {
			o.task.Cancel()
			call.Cancel()
		} else {
			r.cancel(stop%2 == 0)
		}
	} else {
		test.Equal(t, "items", got, c.items)
	}
	if o != nil {
		test.Equal(t, "lives", o.poll(), false)
		_, err = o.task.Result()
	} else {
		err = (<-r.result).err
	}
	switch {
	case err == nil:
		test.Equal(t, "given", gave.Load(), int64(c.items))
	case got != stop || !errors.Is(err, context.Canceled):
		t.Fatal(err)
	}
	_, more := call.Take()
	test.Equal(t, "an item after the end", more, false)
}
