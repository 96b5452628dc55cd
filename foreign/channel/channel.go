// SPDX-License-Identifier: Apache-2.0

// Package channel is a host without a descriptor: a channel wakes the loop, and a timer
// keeps its deadline. It is the same on every system that Go has, WebAssembly included.
// It watches no descriptors.
package channel

import (
	"runtime"
	"time"

	"github.com/pillion-dev/pillion/executor"
)

// Loop is an event loop that knows one executor. It starts no goroutine.
type Loop struct {
	woken chan struct{}
	timer *time.Timer // stopped, but in Wait
}

var _ executor.Host = (*Loop)(nil)

// New makes a loop. There is nothing to close.
func New() *Loop {
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	return &Loop{woken: make(chan struct{}, 1), timer: timer}
}

// Wake implements [executor.Host]. Any goroutine may call it.
func (l *Loop) Wake() error {
	select {
	case l.woken <- struct{}{}:
	default: // it is awake already
	}
	return nil
}

// Woken gives the channel, for a program with a select of its own. After a receive the
// executor wants a poll.
func (l *Loop) Woken() <-chan struct{} { return l.woken }

// Run polls ex until none of its tasks is live, and sleeps while ex has nothing to do.
// It must run on the goroutine that polled ex before. Its errors are those of
// [executor.Local.Poll].
func (l *Loop) Run(ex *executor.Local) error {
	for {
		p, err := ex.Poll(executor.Budget{})
		if err != nil || p.Live == 0 {
			return err
		}
		switch {
		case p.More:
			runtime.Gosched() // nothing preempts a goroutine on wasm
		case p.Deadline == executor.Never:
			l.Wait(-1)
		default:
			l.Wait(max(0, time.Duration(p.Deadline-ex.Now())))
		}
	}
}

// Wait sleeps until a wake comes or d is over, whichever comes first; a negative d is
// for ever. It takes the wake.
func (l *Loop) Wait(d time.Duration) {
	if d < 0 {
		<-l.woken
		return
	}
	l.timer.Reset(d)
	select {
	case <-l.woken:
		l.timer.Stop()
	case <-l.timer.C:
	}
}
