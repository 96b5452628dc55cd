// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/export"
)

// lent is what a request lends.
type lent struct {
	Ask  export.Callback[string, string] `json:"ask"`
	Log  export.Signal[string]           `json:"log"`
	Done export.Signal[int]              `json:"done"`
	Text string                          `json:"text"`
}

func init() {
	export.Stream("flow.count", func(_ context.Context, n int) iter.Seq2[int, error] {
		return func(yield func(int, error) bool) {
			waiting.Add(1)
			defer waiting.Add(-1)
			for i := range n {
				if !yield(i, nil) {
					return
				}
			}
		}
	}, export.Doc("Gives the numbers below n."))
	export.Stream("flow.blocks", func(_ context.Context, size int) iter.Seq2[[]byte, error] {
		return func(yield func([]byte, error) bool) {
			for i := range 26 {
				if !yield([]byte(strings.Repeat(string(rune('a'+i)), size)), nil) {
					return
				}
			}
		}
	}, export.Doc("Gives 26 blocks of so many bytes."))
	export.Stream("flow.fail", func(_ context.Context, how string) iter.Seq2[string, error] {
		return func(yield func(string, error) bool) {
			if !yield("first", nil) {
				return
			}
			if how == "panic" {
				panic(how)
			}
			yield("", export.WithCode(errors.New(how), 42))
		}
	}, export.Doc("Gives an item and fails."))
	export.Stream("flow.cpu", func(_ context.Context, n int) iter.Seq2[int, error] {
		return func(yield func(int, error) bool) {
			for i := range n {
				if !yield(i, nil) {
					return
				}
			}
		}
	}, export.CPUBound())
	export.Collect("flow.join", func(_ context.Context, most int, items iter.Seq2[string, error]) (string, error) {
		var all []string
		for item, err := range items {
			if err != nil {
				return "", err
			}
			if all = append(all, item); len(all) == most {
				break
			}
		}
		return strings.Join(all, " "), nil
	}, export.Doc("Joins the items, or so many of them."))
	export.Collect("flow.size", func(_ context.Context, _ struct{}, items iter.Seq2[[]byte, error]) (string, error) {
		n, bytes := 0, 0
		for item, err := range items {
			if err != nil {
				return "", err
			}
			n++
			bytes += len(item)
		}
		return fmt.Sprint(n, " ", bytes), nil
	}, export.Doc("Counts the items and their bytes."))
	export.Duplex("flow.upper", func(_ context.Context, _ struct{}, items iter.Seq2[string, error]) iter.Seq2[string, error] {
		return func(yield func(string, error) bool) {
			for s, err := range items {
				if !yield(strings.ToUpper(s), err) {
					return
				}
			}
		}
	}, export.Doc("Gives each item back in upper case."))
	export.LoopStream("flow.loop_count", func(co *coro.Co, n int, out *export.Out[int]) error {
		for i := range n {
			if err := out.Send(co, i); err != nil {
				return err
			}
		}
		return nil
	}, export.Doc("Gives the numbers below n, as a coroutine."))

	export.Func("lent.ask", func(ctx context.Context, l lent) (string, error) { return l.Ask.Call(ctx, l.Text) },
		export.Doc("Gives the answer of ask."))
	export.Func("lent.cpu_ask", func(ctx context.Context, l lent) (string, error) { return l.Ask.Call(ctx, l.Text) },
		export.CPUBound(), export.Doc("Does as lent.ask does, with a seat."))
	export.Loop("lent.loop_ask", func(co *coro.Co, l lent) (string, error) { return coro.Await(co, l.Ask.Start(l.Text)) },
		export.Doc("Gives the answer of ask, as a coroutine."))
	export.Async("lent.async_ask", func(l lent) executor.Future[string] { return l.Ask.Start(l.Text) })
	export.Func("lent.leak", func(_ context.Context, l lent) (string, error) {
		asked := make(chan struct{})
		ctx, cancel := context.WithCancel(context.Background())
		go func() {
			defer cancel()
			close(asked)
			_, _ = l.Ask.Call(ctx, l.Text)
		}()
		<-asked
		return "returned", nil
	}, export.Doc("Returns while a goroutine of its may await ask."))
	var crowd lent
	export.Func("lent.crowd", func(ctx context.Context, l lent) (string, error) {
		crowd = l
		errs := make(chan error, 100)
		for i := range cap(errs) {
			go func() {
				_, err := l.Ask.Call(ctx, fmt.Sprint(i))
				errs <- err
			}()
		}
		for range cap(errs) {
			if err := <-errs; err != nil {
				return "", err
			}
		}
		return l.Text, nil
	}, export.Doc("Calls a function of the caller's a hundred times at once."))
	export.Func("lent.crowd_again", func(ctx context.Context, text string) (string, error) {
		return crowd.Ask.Call(ctx, text)
	}, export.Doc("Calls the function that lent.crowd was lent."))
	export.Func("lent.upload", func(ctx context.Context, l lent) (int, error) {
		words := strings.Fields(l.Text)
		for i, w := range words {
			if err := l.Log.Send(ctx, w); err != nil {
				return i, err
			}
			if err := l.Done.Latest(i + 1); err != nil {
				return i, err
			}
		}
		return len(words), nil
	}, export.Doc("Logs the words of text, and tells how many it has done."))
	export.Loop("lent.loop_upload", func(_ *coro.Co, l lent) (int, error) {
		for i, w := range strings.Fields(l.Text) {
			if err := errors.Join(l.Log.Latest(w), l.Done.Latest(i+1)); err != nil {
				return i, err
			}
		}
		return 0, nil
	}, export.Doc("Tells the last word of text, and how many there are."))
	export.Stream("lent.mixed", func(ctx context.Context, l lent) iter.Seq2[string, error] {
		return func(yield func(string, error) bool) {
			for _, w := range strings.Fields(l.Text) {
				if err := l.Log.Send(ctx, w); err != nil {
					yield("", err)
					return
				}
				answer, err := l.Ask.Call(ctx, w)
				if !yield(answer, err) {
					return
				}
			}
		}
	}, export.Doc("Logs each word of text and gives what ask answers to it."))
}
