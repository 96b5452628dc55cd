// SPDX-License-Identifier: Apache-2.0

package export

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/carrier"
	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/future"
	"github.com/pillion-dev/pillion/executor/imports"
	"github.com/pillion-dev/pillion/executor/internal/peer"
	"github.com/pillion-dev/pillion/executor/internal/test"
)

type asking struct {
	Ask  Callback[string, int] `json:"ask"`
	Say  *Signal[string]       `json:"say"`
	More map[string][]Signal[int]
	How  string
}

// leaked is what lent.leak leaves to the test, which lets it return.
var leaked = make(chan asking)

// noted tells that lent.latest has given all its values.
var noted = make(chan struct{}, 1)

func init() {
	Func("lent.ask", func(ctx context.Context, a asking) (int, error) { return a.Ask.Call(ctx, a.How) })
	Func("lent.leak", func(ctx context.Context, a asking) (string, error) {
		if a.How == "panic" {
			panic("no")
		}
		go a.Ask.Call(context.Background(), "leaked")
		leaked <- a
		return "returned", nil
	})
	Func("lent.latest", func(ctx context.Context, a asking) (string, error) {
		for i := range 10 {
			_ = a.Say.Latest(fmt.Sprint(i))
			_ = a.More["x"][0].Latest(-i)
		}
		err := a.Say.Latest("last")
		noted <- struct{}{}
		return "returned", err
	})
	Stream("lent.mixed", func(ctx context.Context, a asking) iter.Seq2[string, error] {
		return func(yield func(string, error) bool) {
			for i := range 5 {
				if err := a.Say.Send(ctx, fmt.Sprint("s", i)); err != nil {
					yield("", err)
					return
				}
				if !yield(fmt.Sprint("i", i), nil) {
					return
				}
			}
		}
	})
	Func("lent.crowd", func(ctx context.Context, a asking) (string, error) {
		var wg sync.WaitGroup
		for g := range 4 {
			wg.Go(func() {
				for i := range 50 {
					if err := a.Say.Send(ctx, fmt.Sprint(g, " ", i)); err != nil {
						return
					}
					_ = a.More["x"][g%2].Latest(i)
				}
			})
		}
		wg.Wait()
		return "", ctx.Err()
	})
	Loop("lent.loop", func(co *coro.Co, a asking) (int, error) {
		if _, err := coro.Await(co, a.Say.Start("asking")); err != nil {
			return 0, err
		}
		if a.How == "drop" { // the loser is dropped without an unwinding
			f := a.Ask.Start(a.How)
			f.Poll(co.Context())
			future.Drop(f)
			return 7, nil
		}
		return coro.Await(co, a.Ask.Start(a.How))
	})
	Async("lent.async", func(a asking) executor.Future[int] { return a.Ask.Start(a.How) })
}

const lending = `{"ask":3,"say":1,"More":{"x":[4,5]},"How":"q"}`

func TestCallbackIsAnswered(t *testing.T) {
	broken := &imports.Error{Code: 4, Message: "ValueError: no", Stack: "at home"}
	for _, c := range []struct {
		reply, want string
		err, wants  error
	}{
		{"42", "42", nil, nil},
		{"", "", broken, broken},
		{"{", "", nil, imports.ErrResponse},
		{"", "", context.Canceled, context.Canceled},
		{"", "", imports.ErrHostGone, imports.ErrHostGone},
	} {
		r := run(t, "lent.ask", lending, peer.NewCall(0, false))
		in := <-r.Calls
		test.Equal(t, "function", in.Function, 3)
		test.Equal(t, "request", in.Payload, "q")
		test.Equal(t, "on behalf", in.Request.OnBehalf == carrier.Call(r.Call), true)
		in.Reply(c.reply, c.err)
		r.wants(t, c.want, c.wants)
		test.Equal(t, "released", in.Released, true)
	}
	test.Equal(t, "text", broken.Error(), "ValueError: no")
}

func TestCallbackIsCancelledAndAcknowledged(t *testing.T) {
	for _, returns := range []bool{false, true} {
		r := run(t, "lent.ask", lending, peer.NewCall(0, false))
		in := <-r.Calls
		r.cancel(true)
		<-in.Cancelled
		test.Equal(t, "ends before the answer", len(r.result), 0)
		if returns {
			in.Reply("1", nil)
			r.wants(t, "1", nil)
		} else {
			in.Stopped()
			r.wants(t, "", context.Canceled)
		}
	}
}

func TestCallbackWithoutLender(t *testing.T) {
	run(t, "lent.ask", `{"How":"q"}`, peer.NewCall(0, false)).wants(t, "", imports.ErrNotProvided)
	run(t, "lent.ask", `{"ask":null}`, peer.NewCall(0, false)).wants(t, "", imports.ErrNotProvided)
	run(t, "lent.ask", `{"ask":-1}`, peer.NewCall(0, false)).wants(t, "", ErrRequest)
	run(t, "lent.ask", `{"ask":"f"}`, peer.NewCall(0, false)).wants(t, "", ErrRequest)
	_, err := call(t.Context(), "lent.ask", lending)
	test.Equal(t, "without a call", err, imports.ErrNotProvided)
	_, err = call(t.Context(), "lent.latest", lending)
	<-noted
	test.Equal(t, "without a call", errors.Is(err, errors.ErrUnsupported), true)
	var none Callback[int, int]
	_, err = none.Call(t.Context(), 1)
	test.Equal(t, "none", err, imports.ErrNotProvided)
	test.Equal(t, "no signal", Signal[int]{}.Send(t.Context(), 1), nil)
	test.Equal(t, "no signal", Signal[int]{}.Latest(1), nil)
}

func TestLeakedCallbackHoldsTheEnd(t *testing.T) {
	r := run(t, "lent.leak", lending, peer.NewCall(0, false))
	in := <-r.Calls
	a := <-leaked
	<-in.Cancelled // by the return
	_, err := a.Ask.Call(t.Context(), "late")
	test.Equal(t, "a late call", err, imports.ErrCallOver)
	test.Equal(t, "a late signal", a.Say.Send(t.Context(), "late"), imports.ErrCallOver)
	test.Equal(t, "a late signal", a.Say.Latest("late"), imports.ErrCallOver)
	test.Equal(t, "ends before the answer", len(r.result), 0)
	in.Stopped()
	r.wants(t, "returned", nil)
	test.Equal(t, "told", len(r.Calls), 0)
	r = run(t, "lent.leak", `{"ask":0,"How":"panic"}`, peer.NewCall(0, false))
	var p *executor.PanicError
	test.Equal(t, "panic", errors.As((<-r.result).err, &p), true)
}

func TestSignalsAreInOrderWithItems(t *testing.T) {
	for _, window := range []int{1, 3, 10} {
		r := run(t, "lent.mixed", lending, peer.NewCall(window, false))
		for i := range 10 {
			item, _ := r.Take()
			if i%2 == 0 {
				test.Equal(t, "signal", item, peer.Item{Function: 1, Payload: fmt.Sprint("s", i/2)})
			} else {
				test.Equal(t, "item", item, peer.Item{Function: -1, Payload: fmt.Sprint("i", i/2)})
			}
			if window < 10 {
				r.Grant(1)
			}
		}
		r.wants(t, "", nil)
	}
	r := run(t, "lent.mixed", lending, peer.NewCall(1, false))
	r.Waits()
	r.cancel(false)
	r.wants(t, "", context.Canceled)
	run(t, "lent.mixed", lending, peer.NewCall(0, false)).wants(t, "", errors.ErrUnsupported)
}

func TestLatestConflates(t *testing.T) {
	r := run(t, "lent.latest", lending, peer.NewCall(1, false))
	<-noted
	item, _ := r.Take()
	test.Equal(t, "the first", item, peer.Item{Function: 1, Payload: "0"})
	r.Waits()
	test.Equal(t, "ends before the last value", len(r.result), 0)
	r.Grant(1)
	item, _ = r.Take()
	r.Waits()
	a := item
	r.Grant(1)
	item, _ = r.Take()
	if item.Function == 1 {
		a, item = item, a
	}
	r.wants(t, "returned", nil)
	test.Equal(t, "the last", a, peer.Item{Function: 1, Payload: "last"})
	test.Equal(t, "the last of the other", item, peer.Item{Function: 4, Payload: "-9"})

	r = run(t, "lent.latest", lending, peer.NewCall(1, false)) // cancelled meanwhile
	r.Waits()
	<-noted
	r.cancel(true)
	got := <-r.result
	test.Equal(t, "error", got.err == nil || errors.Is(got.err, executor.ErrClosed), true)
}

func TestCrowdOfWriters(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 0))
		r := run(t, "lent.crowd", lending, peer.NewCall(1+random.IntN(3), false))
		next, newest := make(map[byte]int), make(map[int]string)
		stop := -1
		if seed%4 == 3 {
			stop = random.IntN(200)
		}
		for n := 0; ; n++ {
			if n == stop {
				r.cancel(seed%8 == 3)
				r.wants(t, "", context.Canceled)
				break
			}
			r.Grant(1)
			item, ok := r.Take()
			if !ok {
				r.wants(t, "", nil)
				test.Equal(t, "signals", next['0']+next['1']+next['2']+next['3'], 200)
				test.Equal(t, "last value", newest[4], "49")
				test.Equal(t, "last value", newest[5], "49")
				break
			}
			if item.Function == 1 {
				from := item.Payload[0]
				test.Equal(t, "in order", item.Payload[2:], fmt.Sprint(next[from]))
				next[from]++
			} else {
				newest[item.Function] = item.Payload
			}
		}
	}
}

func TestCallbackOnALoop(t *testing.T) {
	o := spawn(t, "lent.loop", lending, peer.NewCall(0, false))
	_, err := o.task.Result()
	test.Equal(t, "without credit", errors.Is(err, errors.ErrUnsupported), true)
	o = spawn(t, "lent.loop", lending, peer.NewCall(1, false))
	item, _ := o.Take()
	test.Equal(t, "signal", item, peer.Item{Function: 1, Payload: "asking"})
	in := <-o.Calls
	test.Equal(t, "on behalf", in.Request.OnBehalf == carrier.Call(o.Call), true)
	test.Equal(t, "lives", o.poll(), true)
	in.Reply("5", nil)
	test.Equal(t, "lives", o.poll(), false)
	response, err := o.task.Result()
	test.Equal(t, "response", string(response), "5")
	test.Equal(t, "error", err, nil)

	o = spawn(t, "lent.async", lending, peer.NewCall(0, false))
	(<-o.Calls).Reply("6", nil)
	test.Equal(t, "lives", o.poll(), false)
	response, _ = o.task.Result()
	test.Equal(t, "response", string(response), "6")
}

func TestCallbackOnALoopCancelled(t *testing.T) {
	for _, name := range []string{"lent.loop", "lent.async"} {
		o := spawn(t, name, lending, peer.NewCall(1, false))
		in := <-o.Calls
		o.task.Cancel()
		test.Equal(t, "lives", o.poll(), true)
		<-in.Cancelled
		in.Stopped()
		test.Equal(t, "lives", o.poll(), false)
		test.Equal(t, "outcome", o.task.Outcome(), executor.CancelledRunning)
		_, err := o.task.Result()
		test.Equal(t, "error", err, executor.ErrCancelled)
	}
	o := spawn(t, "lent.loop", lending, peer.NewCall(1, false)) // freed with a call in the air
	in := <-o.Calls
	test.Equal(t, "free", o.l.Free(), nil)
	<-in.Cancelled
	in.Stopped()
	test.Equal(t, "released", in.Released, true)
}

func TestDroppedCallbackHoldsTheEnd(t *testing.T) {
	o := spawn(t, "lent.loop", strings.Replace(lending, `"q"`, `"drop"`, 1), peer.NewCall(1, false))
	in := <-o.Calls
	<-in.Cancelled
	test.Equal(t, "lives", o.poll(), true)
	in.Stopped()
	test.Equal(t, "lives", o.poll(), false)
	response, _ := o.task.Result()
	test.Equal(t, "response", string(response), "7")
	test.Equal(t, "released", in.Released, true)
}

func TestLentFunctionsAreDescribed(t *testing.T) {
	test.Equal(t, "flows", Lookup("lent.ask").Flows(), FlowCallbacks)
	test.Equal(t, "flows", Lookup("lent.mixed").Flows(), FlowCallbacks|FlowOut)
	test.Equal(t, "descriptor", Lookup("lent.async").Descriptor(), `{"name":"async","module":"lent","kind":"async",`+
		`"codec":"json","request":{"struct":[`+
		`{"name":"ask","type":{"callback":{"request":"string","response":"int"}}},`+
		`{"name":"say","type":{"optional":{"signal":"string"}}},`+
		`{"name":"More","type":{"map":{"list":{"signal":"int"}}}},{"name":"How","type":"string"}]},`+
		`"response":"int","doc":""}`)
}
