// SPDX-License-Identifier: Apache-2.0

// Package module holds the Go functions that the tests call through the library:
// one for each way in which a function can behave or misbehave.
package module

import (
	"context"
	"errors"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/export"
	"github.com/pillion-dev/pillion/executor/future"
	_ "github.com/pillion-dev/pillion/tests/module/play" // the vectors' functions
)

type pair struct {
	A int `json:"a"`
	B int `json:"b"`
}

type sum struct {
	Sum int `json:"sum"`
}

var (
	waiting  atomic.Int64 // calls that are inside block or stubborn
	stubborn struct {
		sync.Mutex
		gate chan struct{}
	}
)

func init() {
	stubborn.gate = make(chan struct{})

	export.Func("test.echo", func(_ context.Context, b []byte) ([]byte, error) { return b, nil },
		export.Doc("Returns what it is given."))
	export.Func("test.upper", func(_ context.Context, s string) (string, error) { return strings.ToUpper(s), nil })
	export.Func("test.add", func(_ context.Context, p pair) (sum, error) { return sum{p.A + p.B}, nil })
	export.Func("test.fail", func(_ context.Context, s string) (string, error) {
		return "", export.WithCode(errors.New(s), 42)
	})
	export.Func("test.nul", func(context.Context, []byte) ([]byte, error) { return nil, errors.New("a\x00b") })
	export.Func("test.panic", func(_ context.Context, s string) (string, error) { panic(s) })
	export.Func("test.goexit", func(context.Context, []byte) ([]byte, error) {
		runtime.Goexit()
		return nil, nil
	})
	export.Func("test.block", func(ctx context.Context, _ []byte) ([]byte, error) {
		waiting.Add(1)
		defer waiting.Add(-1)
		<-ctx.Done()
		return nil, ctx.Err()
	}, export.Doc("Returns when it is cancelled."))
	export.Func("test.deadline", func(ctx context.Context, _ []byte) (string, error) {
		at, ok := ctx.Deadline()
		if !ok {
			return "none", nil
		}
		return strconv.FormatInt(int64(time.Until(at)), 10), nil
	}, export.Doc("Tells how many nanoseconds its context has left."))
	export.Func("test.overtime", func(ctx context.Context, _ []byte) (string, error) {
		<-ctx.Done()
		return "anyway", nil
	}, export.Doc("Waits for its cancel and returns all the same."))
	export.Func("test.stubborn", func(context.Context, []byte) ([]byte, error) {
		stubborn.Lock()
		gate := stubborn.gate
		stubborn.Unlock()
		waiting.Add(1)
		defer waiting.Add(-1)
		<-gate
		return []byte("released"), nil
	}, export.Doc("Returns when test.release is called, cancelled or not."))
	export.Func("test.release", func(context.Context, []byte) ([]byte, error) {
		stubborn.Lock()
		defer stubborn.Unlock()
		close(stubborn.gate)
		stubborn.gate = make(chan struct{})
		return nil, nil
	})
	export.Func("test.waiting", func(context.Context, []byte) (string, error) {
		return strconv.FormatInt(waiting.Load(), 10), nil
	}, export.Doc("Tells how many calls are inside test.block and test.stubborn."))
	export.Func("test.sleep", func(ctx context.Context, ns string) (string, error) {
		n, err := strconv.ParseInt(ns, 10, 64)
		if err != nil {
			return "", err
		}
		select {
		case <-time.After(time.Duration(n)):
			return "slept", nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	})
	export.Func("test.big", func(_ context.Context, n string) ([]byte, error) {
		size, err := strconv.Atoi(n)
		return make([]byte, size), err
	})
	export.Func("test.spin", func(_ context.Context, ms string) (string, error) {
		return "", until(ms, func() {})
	}, export.CPUBound(), export.Doc("Computes for so many milliseconds."))
	export.Func("test.garbage", func(_ context.Context, ms string) (string, error) {
		var keep [64][]*[256]byte
		i := 0
		return "", until(ms, func() {
			list := make([]*[256]byte, 64)
			for j := range list {
				list[j] = new([256]byte)
			}
			keep[i%len(keep)] = list
			i++
		})
	}, export.Doc("Makes garbage for so many milliseconds."))

	export.Loop("test.loop_echo", func(_ *coro.Co, b []byte) ([]byte, error) { return b, nil })
	export.Loop("test.loop_sleep", func(co *coro.Co, ns string) (string, error) {
		n, err := strconv.ParseInt(ns, 10, 64)
		if err != nil {
			return "", err
		}
		_, err = coro.Await(co, future.Sleep(time.Duration(n)))
		return "slept", err
	})
	export.Loop("test.loop_yield", func(co *coro.Co, times string) (string, error) {
		n, err := strconv.Atoi(times)
		for i := 0; i < n && err == nil; i++ {
			err = co.Yield()
		}
		return times, err
	})
	export.Loop("test.loop_garbage", func(co *coro.Co, times string) (string, error) {
		n, err := strconv.Atoi(times)
		for i := 0; i < n && err == nil; i++ {
			if _, err = strconv.Atoi(strings.Repeat("1", 1+i%18)); err == nil {
				err = co.Yield()
			}
		}
		return times, err
	}, export.Doc("Makes some garbage in each of so many turns."))
	export.Loop("test.loop_fail", func(_ *coro.Co, s string) (string, error) {
		return "", export.WithCode(errors.New(s), 42)
	})
	export.Loop("test.loop_panic", func(_ *coro.Co, s string) (string, error) { panic(s) })
	export.Loop("test.loop_goexit", func(*coro.Co, []byte) ([]byte, error) {
		runtime.Goexit()
		return nil, nil
	})
	export.Loop("test.loop_block", func(co *coro.Co, _ []byte) ([]byte, error) {
		waiting.Add(1)
		defer waiting.Add(-1)
		return coro.Await(co, executor.Future[[]byte](never{}))
	}, export.Doc("Returns when it is cancelled."))
}

type never struct{}

func (never) Poll(*executor.Context) ([]byte, bool, error) { return nil, false, nil }

func until(ms string, step func()) error {
	n, err := strconv.Atoi(ms)
	end := time.Now().Add(time.Duration(n) * time.Millisecond)
	for err == nil && time.Now().Before(end) {
		step()
	}
	return err
}
