// SPDX-License-Identifier: Apache-2.0

package inbound

import (
	"context"
	"testing"

	"github.com/pillion-dev/pillion/executor/internal/test"
	"github.com/pillion-dev/pillion/executor/offload"
)

// seated is a job of a pool with a seat.
type seated struct {
	ctx offload.Context
	f   func(ctx context.Context)
}

func (j *seated) Run() { j.f(&j.ctx) }

// More functions than seats sleep, and another one runs and wakes them.
func TestSleepersLeaveTheirSeats(t *testing.T) {
	p := offload.NewPool(1)
	var sleepers []*Sleeper
	ended := make(chan error)
	for range 3 {
		s := NewSleeper()
		sleepers = append(sleepers, s)
		p.Submit(&seated{offload.Context{Pool: p}, func(ctx context.Context) { ended <- s.Sleep(ctx) }})
	}
	p.Submit(&seated{offload.Context{Pool: p}, func(context.Context) {
		for _, s := range sleepers {
			s.Waiter.Func()
		}
	}})
	for range sleepers {
		test.Equal(t, "error", <-ended, nil)
	}
	p.Close()
}

func TestSleeperThatWasToldDoesNotLook(t *testing.T) {
	s := NewSleeper()
	s.Waiter.Func()
	s.Waiter.Func()
	ctx, cancel := context.WithCancel(context.Background())
	test.Equal(t, "told", s.Sleep(ctx), nil)
	cancel()
	test.Equal(t, "cancelled", s.Sleep(ctx), context.Canceled)
}
