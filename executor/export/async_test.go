// SPDX-License-Identifier: Apache-2.0

package export

import (
	"errors"
	"testing"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/internal/test"
)

// traced records what happens to it, and is ready when it has been polled twice.
type traced struct {
	request string
	polls   int
	trace   *[]string
}

var trace []string

func (f *traced) Poll(cx *executor.Context) (string, bool, error) {
	f.polls++
	*f.trace = append(*f.trace, "poll")
	switch {
	case f.polls == 1:
		cx.WakeSelf()
		return "", false, nil
	case f.request == "fail":
		return "", true, errors.New("failed")
	}
	return f.request, true, nil
}

func (f *traced) Unwind(*executor.Context) (bool, error) {
	*f.trace = append(*f.trace, "unwind")
	return true, nil
}

func (f *traced) Drop() { *f.trace = append(*f.trace, "drop") }

func init() {
	Async("test.async", func(p point) executor.Future[int] {
		return coro.New(func(co *coro.Co) (int, error) { return p.X + 1, co.Yield() })
	})
	Async("test.traced", func(request string) executor.Future[string] {
		trace = append(trace, "call")
		if request == "panic" {
			panic(request)
		}
		return &traced{request: request, trace: &trace}
	})
}

// started gives a task of the function, and its executor.
func started(t *testing.T, name, request string) (*executor.Local, *executor.Task[[]byte]) {
	t.Helper()
	trace = nil
	l := executor.New(executor.Config{})
	t.Cleanup(func() { l.Free() })
	task, err := executor.Spawn(l, Lookup(name).Start([]byte(request), nil))
	test.Equal(t, "spawn", err, nil)
	test.Equal(t, "calls before the first poll", len(trace), 0)
	return l, task
}

func tracedTo(t *testing.T, want ...string) {
	t.Helper()
	test.Equal(t, "steps", len(trace), len(want))
	for i := range want {
		test.Equal(t, "step", trace[i], want[i])
	}
}

func TestAsyncIsPolledToItsEnd(t *testing.T) {
	l, task := started(t, "test.traced", "text")
	l.Poll(executor.Budget{})
	l.Poll(executor.Budget{})
	response, err := task.Result()
	test.Equal(t, "response", string(response), "text")
	test.Equal(t, "error", err, nil)
	tracedTo(t, "call", "poll", "poll", "drop")
}

func TestAsyncFails(t *testing.T) {
	l, task := started(t, "test.traced", "fail")
	l.Poll(executor.Budget{})
	l.Poll(executor.Budget{})
	_, err := task.Result()
	test.Equal(t, "error", err.Error(), "failed")
	tracedTo(t, "call", "poll", "poll", "drop")

	l, task = started(t, "test.traced", "panic")
	l.Poll(executor.Budget{})
	_, err = task.Result()
	var panicked *executor.PanicError
	test.Equal(t, "panic", errors.As(err, &panicked), true)
	tracedTo(t, "call")

	l, task = started(t, "test.async", "{")
	l.Poll(executor.Budget{})
	_, err = task.Result()
	test.Equal(t, "malformed", errors.Is(err, ErrRequest), true)
}

func TestAsyncCancelledBeforeAndAfterTheFirstPoll(t *testing.T) {
	l, task := started(t, "test.traced", "")
	task.Cancel()
	l.Poll(executor.Budget{})
	test.Equal(t, "outcome", task.Outcome(), executor.CancelledBeforeStart)
	tracedTo(t)

	l, task = started(t, "test.traced", "")
	l.Poll(executor.Budget{})
	task.Cancel()
	l.Poll(executor.Budget{})
	test.Equal(t, "outcome", task.Outcome(), executor.CancelledRunning)
	tracedTo(t, "call", "poll", "unwind", "drop")
}

func TestExpiredEndsAsADeadlineDoes(t *testing.T) {
	l, task := started(t, "test.traced", "")
	test.Equal(t, "expire", executor.Carrier{}.Expire(task.Handle()), executor.Accepted)
	test.Equal(t, "again", task.Handle().Cancel(), executor.Coalesced)
	l.Poll(executor.Budget{})
	_, err := task.Result()
	test.Equal(t, "error", err, executor.ErrTimedOut)
	test.Equal(t, "afterwards", executor.Carrier{}.Expire(task.Handle()), executor.Stale)
}
