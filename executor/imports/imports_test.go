// SPDX-License-Identifier: Apache-2.0

package imports_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/carrier"
	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/imports"
	"github.com/pillion-dev/pillion/executor/internal/peer"
	"github.com/pillion-dev/pillion/executor/internal/test"
)

func TestMain(m *testing.M) { test.Main(m) }

var (
	fetch = imports.Func[string, int]("app.Http", "fetch")
	feed  = imports.Func[int, int]("app.Http", "feed")
	sum   = imports.Collect[string, int, int]("app.Http", "sum")
)

func provide(t *testing.T) *peer.Host {
	h := &peer.Host{Functions: map[string]int{"app.Http.fetch": 2, "app.Http.feed": 1, "app.Http.sum": 0}}
	h.Calls = make(chan *peer.Inbound, 10)
	carrier.SetHost(h)
	t.Cleanup(func() { test.Equal(t, "calls without an answer", h.Open(), 0) })
	return h
}

type answer struct {
	n   int
	err error
}

func call(ctx context.Context) chan answer {
	answers := make(chan answer, 1)
	go func() {
		n, err := fetch.Call(ctx, "q")
		answers <- answer{n, err}
	}()
	return answers
}

func TestCallInAGoroutine(t *testing.T) {
	h := provide(t)
	c := peer.NewCall(0, false)
	for _, a := range []struct {
		reply string
		err   error
		want  answer
	}{
		{"42", nil, answer{42, nil}},
		{"", imports.ErrHostGone, answer{0, imports.ErrHostGone}},
		{"", context.Canceled, answer{0, context.Canceled}},
	} {
		answers := call(context.WithValue(t.Context(), carrier.CallKey{}, c))
		in := <-h.Calls
		test.Equal(t, "function", in.Function, 2)
		test.Equal(t, "request", in.Payload, "q")
		test.Equal(t, "on behalf", in.Request.OnBehalf, carrier.Call(c))
		test.Equal(t, "looked up on behalf", h.OnBehalf, carrier.Call(c))
		in.Reply(a.reply, a.err)
		test.Equal(t, "answer", <-answers, a.want)
	}
	_, err := imports.Func[string, int]("app.Http", "none").Call(t.Context(), "")
	test.Equal(t, "no such function", errors.Is(err, imports.ErrNotProvided), true)
	test.Equal(t, "text", err.Error(), "imports: the host provides no such function: app.Http.none")
}

func TestCallIsCancelledAndAcknowledged(t *testing.T) {
	h := provide(t)
	for _, returns := range []bool{true, false} {
		ctx, cancel := context.WithCancel(t.Context())
		answers := call(ctx)
		in := <-h.Calls
		cancel()
		<-in.Cancelled
		test.Equal(t, "returns before the answer", len(answers), 0)
		if returns {
			in.Reply("1", nil)
			test.Equal(t, "answer", <-answers, answer{1, nil})
		} else {
			in.Stopped()
			test.Equal(t, "answer", <-answers, answer{0, context.Canceled})
		}
		test.Equal(t, "after the end", <-call(ctx), answer{0, context.Canceled})
	}
	ctx, cancel := context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	test.Equal(t, "after the deadline", <-call(ctx), answer{0, context.DeadlineExceeded})
	test.Equal(t, "told", len(h.Calls), 0)
	ctx, cancel = context.WithDeadline(t.Context(), time.Now().Add(time.Hour))
	answers := call(ctx)
	in := <-h.Calls
	at, _ := ctx.Deadline()
	test.Equal(t, "deadline", in.Request.Deadline, at)
	cancel()
	in.Stopped()
	<-answers
}

func TestStartInACoroutine(t *testing.T) {
	h := provide(t)
	c := peer.NewCall(0, false)
	l := executor.New(executor.Config{})
	defer l.Free()
	spawn := func() *executor.Task[int] {
		task, _ := executor.Spawn(l, coro.New(func(co *coro.Co) (int, error) {
			return coro.Await(co, fetch.Start("q"))
		}), executor.WithValues(context.WithValue(t.Context(), carrier.CallKey{}, c)))
		l.Poll(executor.Budget{})
		return task
	}
	task := spawn()
	in := <-h.Calls
	test.Equal(t, "on behalf", in.Request.OnBehalf, carrier.Call(c))
	in.Reply("7", nil)
	l.Poll(executor.Budget{})
	n, err := task.Result()
	test.Equal(t, "response", n, 7)
	test.Equal(t, "error", err, nil)

	for _, reply := range []error{context.Canceled, nil, imports.ErrHostGone} {
		task = spawn()
		in = <-h.Calls
		task.Cancel()
		l.Poll(executor.Budget{})
		<-in.Cancelled
		test.Equal(t, "lives", l.Live(), 1)
		in.Reply("7", reply)
		l.Poll(executor.Budget{})
		test.Equal(t, "lives", l.Live(), 0)
		test.Equal(t, "outcome", task.Outcome(), executor.CancelledRunning)
		test.Equal(t, "released", in.Released, true)
	}
	delete(h.Functions, "app.Http.fetch")
	_, err = spawn().Result()
	test.Equal(t, "no such function", errors.Is(err, imports.ErrNotProvided), true)
}

func TestRange(t *testing.T) {
	h := provide(t)
	for _, c := range []struct {
		most  int
		items []string
		err   error
		want  string
	}{
		{9, []string{"1", "2"}, nil, "1 2"},
		{9, nil, nil, ""},
		{9, []string{"1"}, imports.ErrHostGone, "1 " + imports.ErrHostGone.Error()},
	} {
		got := ranged(t.Context(), c.most)
		in := <-h.Calls
		for _, s := range c.items {
			in.Items.Reads()
			in.Items.Give(s)
		}
		in.Items.Finish()
		in.Reply("", c.err)
		test.Equal(t, "items", <-got, c.want)
	}
}

func TestRangeEndsEarly(t *testing.T) {
	h := provide(t)
	for _, c := range []struct {
		give, want string
		cancel     bool
	}{
		{"1", "1", false},
		{"x", "imports: malformed answer: invalid character 'x' looking for beginning of value", false},
		{"", "context canceled", true},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		got := ranged(ctx, 1)
		in := <-h.Calls
		in.Items.Reads()
		if c.cancel {
			cancel()
		} else {
			in.Items.Give(c.give)
		}
		<-in.Cancelled
		test.Equal(t, "returns before the answer", len(got), 0)
		in.Stopped()
		test.Equal(t, "items", <-got, c.want)
		test.Equal(t, "released", in.Released, true)
		cancel()
	}
}

// collect sends the numbers from 1 on, without an end, and an error in place of `bad`.
func collect(ctx context.Context, bad int) chan answer {
	answers := make(chan answer, 1)
	go func() {
		n, err := sum.Call(ctx, "q", func(yield func(int, error) bool) {
			for i := 1; ; i++ {
				var err error
				if i == bad {
					err = errBad
				}
				if !yield(i, err) {
					return
				}
			}
		})
		answers <- answer{n, err}
	}()
	return answers
}

var errBad = errors.New("bad")

func TestCollect(t *testing.T) {
	h := provide(t)
	answers := make(chan answer, 1)
	go func() {
		n, err := sum.Call(t.Context(), "q", func(yield func(int, error) bool) {
			_ = yield(1, nil) && yield(2, nil)
		})
		answers <- answer{n, err}
	}()
	in := <-h.Calls
	test.Equal(t, "request", in.Payload, `q`)
	for i := 1; i <= 2; i++ {
		item, ok := in.Sent.Take()
		test.Equal(t, "item", item, peer.Item{Function: -1, Payload: fmt.Sprint(i)})
		test.Equal(t, "is there", ok, true)
		in.Sent.Grant(1)
	}
	_, ok := in.Sent.Take()
	test.Equal(t, "a third", ok, false) // it has finished
	in.Reply("3", nil)
	test.Equal(t, "answer", <-answers, answer{3, nil})
	test.Equal(t, "faults", len(in.Sent.Faults), 0)
}

func TestCollectStopsWhenTheFunctionAnswers(t *testing.T) {
	h := provide(t)
	answers := collect(t.Context(), 0)
	in := <-h.Calls
	in.Sent.Take()
	in.Sent.Waits()
	in.Sent.Cancel() // as an answer does
	in.Reply("7", nil)
	test.Equal(t, "answer", <-answers, answer{7, nil})
}

func TestCollectIsCancelled(t *testing.T) {
	h := provide(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, c := range []struct {
		bad  int
		want error
	}{{2, errBad}, {0, context.Canceled}} {
		answers := collect(ctx, c.bad)
		in := <-h.Calls
		in.Sent.Take()
		if c.bad == 0 {
			in.Sent.Waits()
			cancel()
		}
		<-in.Cancelled
		test.Equal(t, "returns before the answer", len(answers), 0)
		in.Stopped()
		test.Equal(t, "answer", <-answers, answer{0, c.want})
		test.Equal(t, "has finished", in.Sent.Ended(), false)
	}
}

func TestRangeOfNumberedItems(t *testing.T) {
	const items = 10_000
	h := provide(t)
	for _, stop := range []int{items + 1, items, 5003, 40, 33, 32, 31, 3, 2, 1} {
		got := make(chan int)
		go func() {
			next := 0
			for n, err := range feed.Range(t.Context(), 5) {
				if err != nil || n != next {
					t.Error("item", next, "is", n, err)
					break
				}
				if next++; next == stop {
					break
				}
			}
			got <- next
		}()
		in := <-h.Calls
		for i := range items {
			if i%1000 == 0 && stop > items {
				in.Items.Reads() // a slow host
			}
			in.Items.Give(strconv.Itoa(i))
		}
		in.Items.Finish()
		if stop <= items {
			<-in.Cancelled
			in.Stopped()
		} else {
			in.Reply("", nil)
		}
		test.Equal(t, "items", <-got, min(stop, items))
		test.Equal(t, "released", in.Released, true)
	}
}

// ranged reads at most so many items.
func ranged(ctx context.Context, most int) chan string {
	got := make(chan string, 1)
	go func() {
		var text []string
		for n, err := range feed.Range(ctx, 5) {
			if err != nil {
				text = append(text, err.Error())
			} else {
				text = append(text, fmt.Sprint(n))
			}
			if len(text) == most {
				break
			}
		}
		got <- strings.Join(text, " ")
	}()
	return got
}
