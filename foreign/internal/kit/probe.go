// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"context"
	"time"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/future"
	"github.com/pillion-dev/pillion/executor/offload"
)

// probe is a future that counts.
type probe struct {
	polls, drops int
	last         int  // the poll in which it is ready; 0: never
	self         bool // it wakes itself in every poll
	then         func(cx *executor.Context)
	waker        executor.Waker
}

func (p *probe) Poll(cx *executor.Context) (int, bool, error) {
	p.polls++
	p.waker = cx.Waker()
	if p.then != nil {
		p.then(cx)
	}
	if p.last > 0 && p.polls >= p.last {
		return p.polls, true, nil
	}
	if p.self {
		cx.WakeSelf()
	}
	return 0, false, nil
}

func (p *probe) Drop() { p.drops++ }

func spawn[T any](r *rig, f executor.Future[T], options ...executor.Option) *executor.Task[T] {
	r.Helper()
	task, err := executor.Spawn(r.l, f, options...)
	if err != nil {
		r.Fatal(err)
	}
	return task
}

// call is an offloaded function that answers at once.
func call() executor.Future[int] {
	return offload.Go(func(context.Context) (int, error) { return 1, nil })
}

// blocked is one that returns when it is cancelled.
func blocked() executor.Future[int] {
	return offload.Go(func(ctx context.Context) (int, error) {
		<-ctx.Done()
		return 0, ctx.Err()
	})
}

// doze is a sleep that tells when it was, by the executor's clock.
type doze struct{ began, woke int64 }

func (d *doze) sleep(length time.Duration) executor.Future[int] {
	return coro.New(func(co *coro.Co) (int, error) {
		d.began = co.Context().Now()
		_, err := coro.Await(co, future.Sleep(length))
		d.woke = co.Local().Now()
		return 0, err
	})
}

// late tells how long after its time it woke.
func (d *doze) late(length time.Duration) time.Duration {
	return time.Duration(d.woke-d.began) - length
}

func forever() *executor.Timer { return future.SleepUntil(executor.Never - 1) }
