// SPDX-License-Identifier: Apache-2.0

// Package inbound waits for the host: for the answers of its functions and for its
// flows.
package inbound

import (
	"context"

	"github.com/pillion-dev/pillion/executor/carrier"
	"github.com/pillion-dev/pillion/executor/offload"
)

// Sleeper is a goroutine that waits for the host. It waits for one thing at a time, and
// what it has stopped waiting for may still wake it.
type Sleeper struct {
	Waiter carrier.Waiter
	woken  chan struct{}
}

// NewSleeper makes a sleeper.
func NewSleeper() *Sleeper {
	woken := make(chan struct{}, 1)
	return &Sleeper{woken: woken, Waiter: carrier.Waiter{Func: func() {
		select {
		case woken <- struct{}{}:
		default: // it is awake already
		}
	}}}
}

// Sleep returns when the waiter was told, or with ctx's error when that has ended. A
// CPU-bound function leaves its seat meanwhile.
func (s *Sleeper) Sleep(ctx context.Context) (err error) {
	select {
	case <-s.woken:
		return nil
	default:
	}
	offload.Away(ctx, func() {
		select {
		case <-s.woken:
		case <-ctx.Done():
			err = ctx.Err()
		}
	})
	return err
}
