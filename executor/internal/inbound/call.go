// SPDX-License-Identifier: Apache-2.0

package inbound

import (
	"context"
	"io"
	"iter"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/carrier"
)

// Call calls a function of the host's and waits for its answer, also after ctx has ended:
// then it has asked the host to stop.
func Call(ctx context.Context, callee carrier.Callee, r carrier.Request) ([]byte, error) {
	s := NewSleeper()
	in, err := offer(ctx, callee, r)
	if err != nil {
		return nil, err
	}
	defer in.Release()
	return answer(ctx, in, s)
}

// Range is [Call] of a function that gives items. It gives each to yield, which answers
// false to end the call, and returns when the host has answered.
func Range(ctx context.Context, callee carrier.Callee, r carrier.Request, yield func([]byte) bool) error {
	s := NewSleeper()
	r.Items = true
	in, err := offer(ctx, callee, r)
	if err != nil {
		return err
	}
	items := in.In()
	stop := true // also if yield panics
	defer func() {
		if stop {
			items.Refuse()
			abandon(ctx, in, s)
		}
		in.Release()
	}()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		item, err := items.Receive()
		switch {
		case err == nil:
			if !yield(item) {
				return nil
			}
		case err == executor.ErrAgain:
			if items.AwaitItem(s.Waiter) {
				_ = s.Sleep(ctx)
			}
		case err == io.EOF:
			stop = false
			_, err := answer(ctx, in, s)
			return err
		default:
			return err
		}
	}
}

// Collect is [Call] of a function that reads items. It sends them as the function has
// room for them, and stops early if the function answers. An error among them is
// Collect's, and cancels the call.
func Collect(ctx context.Context, callee carrier.Callee, r carrier.Request, items iter.Seq2[[]byte, error]) ([]byte, error) {
	s := NewSleeper()
	r.Sends = true
	in, err := offer(ctx, callee, r)
	if err != nil {
		return nil, err
	}
	stop := true // also if items panics
	defer func() {
		if stop { // and never as if there were no more
			abandon(ctx, in, s)
		}
		in.Release()
	}()
	for item, err := range items {
		if err == nil {
			err = send(ctx, in.Out(), item, s)
		}
		if err == executor.ErrClosed {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	stop = false
	in.Finish()
	return answer(ctx, in, s)
}

func send(ctx context.Context, out carrier.Out, item []byte, s *Sleeper) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := out.Send(-1, item); err != executor.ErrAgain {
			return err
		}
		if out.AwaitRoom(len(item), s.Waiter) {
			_ = s.Sleep(ctx)
		}
	}
}

// abandon asks the host to stop and waits until it has.
func abandon(ctx context.Context, in carrier.Inbound, s *Sleeper) {
	in.Cancel()
	sleep(ctx, in, s)
}

func offer(ctx context.Context, callee carrier.Callee, r carrier.Request) (carrier.Inbound, error) {
	if at, ok := ctx.Deadline(); ok {
		r.Deadline = at
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return callee.Call(r)
}

// answer gives ctx's error to a caller whose handler was cancelled with it.
func answer(ctx context.Context, in carrier.Inbound, s *Sleeper) ([]byte, error) {
	for in.Await(s.Waiter) {
		if s.Sleep(ctx) != nil {
			abandon(ctx, in, s)
		}
	}
	payload, err := in.Answer()
	if err == context.Canceled && ctx.Err() != nil {
		err = ctx.Err()
	}
	return payload, err
}

// sleep waits for the answer, whatever becomes of ctx.
func sleep(ctx context.Context, in carrier.Inbound, s *Sleeper) {
	ctx = context.WithoutCancel(ctx)
	for in.Await(s.Waiter) {
		_ = s.Sleep(ctx)
	}
}
