// SPDX-License-Identifier: Apache-2.0

package export

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"strings"
	"testing"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/carrier"
	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/internal/peer"
	"github.com/pillion-dev/pillion/executor/internal/test"
	"github.com/pillion-dev/pillion/executor/offload"
)

func init() {
	Stream("flow.count", func(_ context.Context, n int) iter.Seq2[int, error] {
		return func(yield func(int, error) bool) {
			for i := range n {
				if !yield(i, nil) {
					return
				}
			}
		}
	})
	Stream("flow.wrong", func(_ context.Context, how string) iter.Seq2[string, error] {
		return func(yield func(string, error) bool) {
			yield("first", nil)
			switch how {
			case "error":
				yield("", errors.New("broken"))
			case "panic":
				panic("no")
			case "goexit":
				runtime.Goexit()
			case "deaf":
				for yield("more", nil) || true {
				}
			}
		}
	})
	Stream("flow.unencodable", func(context.Context, struct{}) iter.Seq2[map[string]any, error] {
		return func(yield func(map[string]any, error) bool) { yield(map[string]any{"f": func() {}}, nil) }
	})
	Stream("flow.nil", func(context.Context, struct{}) iter.Seq2[string, error] { return nil })
	Collect("flow.join", func(_ context.Context, most int, items iter.Seq2[string, error]) (string, error) {
		var all []string
		for item, err := range items {
			if err != nil {
				return strings.Join(all, "+"), fmt.Errorf("after %d: %w", len(all), err)
			}
			if all = append(all, item); len(all) == most {
				break
			}
		}
		for range items {
			return "", errors.New("an item after the last")
		}
		return strings.Join(all, "+"), nil
	})
	Collect("flow.sum", func(_ context.Context, _ struct{}, items iter.Seq2[int, error]) (sum int, err error) {
		for i, err := range items {
			if err != nil {
				return 0, err
			}
			sum += i
		}
		return sum, nil
	})
	Collect("flow.cancelled", func(ctx context.Context, _ struct{}, items iter.Seq2[int, error]) (string, error) {
		var errs []error
		for _, err := range items {
			errs = append(errs, err)
		}
		return fmt.Sprint(errs), nil
	})
	Collect("flow.pull", func(ctx context.Context, _ struct{}, items iter.Seq2[string, error]) (string, error) {
		next, stop := iter.Pull2(items)
		defer stop()
		a, _, _ := next()
		for _, err := range items {
			return a, err
		}
		return a, nil
	})
	Duplex("flow.upper", func(_ context.Context, tail string, items iter.Seq2[string, error]) iter.Seq2[string, error] {
		return func(yield func(string, error) bool) {
			for s, err := range items {
				if !yield(strings.ToUpper(s)+tail, err) {
					return
				}
			}
		}
	})
	LoopStream("flow.loop", func(co *coro.Co, n int, out *Out[int]) error {
		for i := range n {
			if err := out.Send(co, i); err != nil {
				return err
			}
		}
		return nil
	})
}

// running is a call of an offloaded function.
type running struct {
	*peer.Call
	ctx    offload.Context
	result chan result
}

type result struct {
	response string
	err      error
}

func run(t *testing.T, name, request string, c *peer.Call) *running {
	r := &running{Call: c, result: make(chan result, 2)}
	t.Cleanup(func() {
		test.Equal(t, "faults", strings.Join(c.Faults, ", "), "")
		test.Equal(t, "further ends", len(r.result), 0)
		test.Equal(t, "calls without an answer", c.Open(), 0)
	})
	ctx := context.WithValue(&r.ctx, carrier.CallKey{}, carrier.Call(c))
	go Lookup(name).Run(ctx, []byte(request), c, func(response []byte, err error) {
		c.End()
		r.result <- result{string(response), err}
	})
	return r
}

// cancel is as a carrier does it, in either order.
func (r *running) cancel(flowFirst bool) {
	if flowFirst {
		r.Cancel()
	}
	r.ctx.Cancel()
	r.Cancel()
}

func (r *running) wants(t *testing.T, response string, err error) {
	t.Helper()
	got := <-r.result
	if !errors.Is(got.err, err) {
		t.Fatalf("error: got %v, want %v", got.err, err)
	}
	test.Equal(t, "response", got.response, response)
}

func TestStreamWithinItsCredit(t *testing.T) {
	for _, window := range []int{1, 2, 7, 100} {
		r := run(t, "flow.count", "20", peer.NewCall(window, false))
		for i := range 20 {
			if i >= window { // no item comes beyond the credit
				if (i-window)%window == 0 {
					r.Waits()
					r.Grant(window)
				}
			}
			item, ok := r.Take()
			test.Equal(t, "item", ok, true)
			test.Equal(t, "item", item, peer.Item{Function: -1, Payload: fmt.Sprint(i)})
		}
		r.wants(t, "", nil)
		_, ok := r.Take()
		test.Equal(t, "item after the end", ok, false)
	}
}

func TestStreamCancelledAtEveryPoint(t *testing.T) {
	for _, flowFirst := range []bool{true, false} {
		for at := range 5 {
			r := run(t, "flow.count", "5", peer.NewCall(1, false))
			for range at {
				r.Take()
				r.Waits()
				r.Grant(1)
			}
			if at < 4 {
				r.Waits()
				r.cancel(flowFirst)
				r.wants(t, "", context.Canceled)
			} else {
				r.Take()
				r.wants(t, "", nil)
				r.cancel(flowFirst)
			}
		}
	}
}

func TestStreamEndsByItsFirstError(t *testing.T) {
	r := run(t, "flow.wrong", "error", peer.NewCall(9, false))
	if got := <-r.result; got.err.Error() != "broken" {
		t.Fatal(got)
	}
	item, _ := r.Take()
	test.Equal(t, "the item before", item.Payload, "first")
	_, ok := r.Take()
	test.Equal(t, "item", ok, false)
	run(t, "flow.unencodable", "", peer.NewCall(9, false)).wants(t, "", ErrResponse)
	run(t, "flow.count", "{", peer.NewCall(9, false)).wants(t, "", ErrRequest)
}

func TestStreamPanics(t *testing.T) {
	for _, name := range []string{"flow.wrong", "flow.nil"} {
		var p *executor.PanicError
		r := run(t, name, "panic", peer.NewCall(9, false))
		test.Equal(t, "panic", errors.As((<-r.result).err, &p), true)
	}
	run(t, "flow.wrong", "goexit", peer.NewCall(9, false)).wants(t, "", executor.ErrGoexit)
	r := run(t, "flow.wrong", "deaf", peer.NewCall(1, false))
	r.Waits()
	r.cancel(true)
	var p *executor.PanicError // Go's own
	test.Equal(t, "panic of an author that goes on", errors.As((<-r.result).err, &p), true)
}

func TestStreamWithoutCredit(t *testing.T) {
	run(t, "flow.count", "1", peer.NewCall(0, false)).wants(t, "", errors.ErrUnsupported)
	_, err := call(t.Context(), "flow.count", "1")
	test.Equal(t, "without a call", errors.Is(err, errors.ErrUnsupported), true)
	s, err := call(t.Context(), "flow.join", "1")
	test.Equal(t, "without a call", err, nil)
	test.Equal(t, "without a call", string(s), "")
}

func TestCollect(t *testing.T) {
	for _, pace := range []bool{true, false} {
		r := run(t, "flow.join", "0", peer.NewCall(0, true))
		for _, s := range []string{"a", "", "c"} {
			if pace {
				r.Reads()
			}
			r.Give(s)
		}
		if pace {
			r.Reads()
		}
		r.Finish()
		r.wants(t, "a++c", nil)
	}
	r := run(t, "flow.sum", "", peer.NewCall(0, true))
	r.Give("1", "2", "4")
	r.Finish()
	r.wants(t, "7", nil)
}

func TestCollectBreaks(t *testing.T) {
	r := run(t, "flow.join", "2", peer.NewCall(0, true))
	r.Give("a", "b", "c")
	r.wants(t, "a+b", nil)
	test.Equal(t, "refused", r.Refused(), true)

	r = run(t, "flow.sum", "", peer.NewCall(0, true))
	r.Give("1", "x")
	r.wants(t, "", ErrRequest)
	test.Equal(t, "refused", r.Refused(), true)

	r = run(t, "flow.pull", "", peer.NewCall(0, true))
	r.Give("a", "b")
	r.wants(t, "", executor.ErrBusy)
	test.Equal(t, "refused at the return", r.Refused(), true)
}

func TestCollectCancelled(t *testing.T) {
	for at := range 3 {
		r := run(t, "flow.join", "0", peer.NewCall(0, true))
		for range at {
			r.Reads()
			r.Give("x")
		}
		r.Reads()
		r.cancel(true)
		got := <-r.result
		test.Equal(t, "error", got.err.Error(), fmt.Sprintf("after %d: context canceled", at))
	}
	r := run(t, "flow.cancelled", "", peer.NewCall(0, true))
	r.cancel(true)
	r.wants(t, "[context canceled]", nil)
}

func TestDuplex(t *testing.T) {
	r := run(t, "flow.upper", "!", peer.NewCall(1, true))
	for i, s := range []string{"a", "b", "c"} {
		r.Give(s)
		if i > 0 {
			r.Waits()
			r.Grant(1)
		}
		item, _ := r.Take()
		test.Equal(t, "item", item.Payload, strings.ToUpper(s)+"!")
	}
	r.Finish()
	r.wants(t, "", nil)

	r = run(t, "flow.upper", "!", peer.NewCall(1, true)) // it waits for both sides in turn
	r.Reads()
	r.Give("a", "b")
	r.Waits()
	r.cancel(false)
	r.wants(t, "", context.Canceled)
	test.Equal(t, "refused", r.Refused(), true)
}

// onLoop spawns a call on a loop and polls until the host has nothing to do.
type onLoop struct {
	*peer.Call
	t    *testing.T
	l    *executor.Local
	wake test.ChanHost
	task *executor.Task[[]byte]
}

func spawn(t *testing.T, name, request string, c *peer.Call) *onLoop {
	t.Helper()
	wake := make(test.ChanHost, 1)
	o := &onLoop{c, t, executor.New(executor.Config{Host: wake}), wake, nil}
	t.Cleanup(func() {
		test.Equal(t, "free", o.l.Free(), nil)
		test.Equal(t, "faults", strings.Join(c.Faults, ", "), "")
		test.Equal(t, "calls without an answer", c.Open(), 0)
	})
	task, err := executor.Spawn(o.l, Lookup(name).Start([]byte(request), c),
		executor.WithValues(context.WithValue(t.Context(), carrier.CallKey{}, carrier.Call(c))),
		executor.OnDone[[]byte](func([]byte, error, executor.Outcome) { c.End() }))
	test.Equal(t, "spawn", err, nil)
	o.task = task
	o.poll()
	return o
}

// poll reports whether the task lives.
func (o *onLoop) poll() bool {
	for {
		if p, _ := o.l.Poll(executor.Budget{}); !p.More {
			return p.Live > 0
		}
	}
}

func TestLoopStreamWithinItsCredit(t *testing.T) {
	o := spawn(t, "flow.loop", "5", peer.NewCall(2, false))
	for i := range 5 {
		item, _ := o.Take()
		test.Equal(t, "item", item.Payload, fmt.Sprint(i))
		if i == 1 || i == 3 {
			test.Equal(t, "lives", o.poll(), true)
			o.Waits()
			o.Grant(2)
			o.poll()
		}
	}
	test.Equal(t, "lives", o.poll(), false)
	_, err := o.task.Result()
	test.Equal(t, "error", err, nil)
}

func TestLoopStreamCancelled(t *testing.T) {
	o := spawn(t, "flow.loop", "5", peer.NewCall(2, false))
	o.task.Cancel()
	test.Equal(t, "lives", o.poll(), false)
	test.Equal(t, "outcome", o.task.Outcome(), executor.CancelledRunning)
	_, err := o.task.Result()
	test.Equal(t, "error", err, executor.ErrCancelled)

	o = spawn(t, "flow.loop", "5", peer.NewCall(2, false))
	o.Cancel() // the flow alone
	test.Equal(t, "lives", o.poll(), false)
	_, err = o.task.Result()
	test.Equal(t, "error", err, executor.ErrClosed)

	o = spawn(t, "flow.loop", "5", peer.NewCall(2, false)) // its executor is freed
	o.Grant(1)
}

func TestFlowsAreDescribed(t *testing.T) {
	for name, want := range map[string]string{
		"flow.count": `{"name":"count","module":"flow","kind":"offload","codec":"json","request":"int","response":"none","out":"int","doc":""}`,
		"flow.join":  `{"name":"join","module":"flow","kind":"offload","codec":"json","request":"int","response":"string","in":"string","doc":""}`,
		"flow.loop":  `{"name":"loop","module":"flow","kind":"loop","codec":"json","request":"int","response":"none","out":"int","doc":""}`,
	} {
		test.Equal(t, name, Lookup(name).Descriptor(), want)
	}
	test.Equal(t, "flows", Lookup("flow.count").Flows(), FlowOut)
	test.Equal(t, "flows", Lookup("flow.sum").Flows(), FlowIn)
	test.Equal(t, "flows", Lookup("flow.upper").Flows(), FlowIn|FlowOut)
	test.Equal(t, "flows", Lookup("test.text").Flows(), 0)
}
