// SPDX-License-Identifier: Apache-2.0

package module

import (
	"strconv"
	"time"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/export"
	"github.com/pillion-dev/pillion/executor/future"
)

func init() {
	export.Async("test.async_echo", func(b []byte) executor.Future[[]byte] {
		return future.Func[[]byte](func(*executor.Context) ([]byte, bool, error) { return b, true, nil })
	})
	export.Async("test.async_yield", func(times string) executor.Future[string] {
		n, err := strconv.Atoi(times)
		return &yields{left: n, err: err}
	}, export.Doc("Wakes itself in so many polls."))
	export.Async("test.async_sleep", func(ns string) executor.Future[struct{}] {
		n, _ := strconv.ParseInt(ns, 10, 64)
		return future.Sleep(time.Duration(n))
	})
	export.Async("test.async_panic", func(s string) executor.Future[string] { panic(s) })
	export.Async("test.async_block", func([]byte) executor.Future[[]byte] { return new(blocks) },
		export.Doc("Is never ready; its drop is counted by test.ended."))
}

type yields struct {
	left int
	err  error
}

func (y *yields) Poll(cx *executor.Context) (string, bool, error) {
	if y.left == 0 || y.err != nil {
		return "yielded", true, y.err
	}
	y.left--
	cx.WakeSelf()
	return "", false, nil
}

// blocks counts as waiting from its first poll to its drop.
type blocks struct{ polled bool }

func (b *blocks) Poll(*executor.Context) ([]byte, bool, error) {
	if !b.polled {
		b.polled = true
		waiting.Add(1)
	}
	return nil, false, nil
}

func (b *blocks) Drop() {
	if b.polled {
		waiting.Add(-1)
	}
	dropped.Add(1)
}
