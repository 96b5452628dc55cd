// SPDX-License-Identifier: Apache-2.0

// Package poll is the smallest host: poll(2) on the executor's descriptor and on those
// that its tasks await, for programs that have no loop of their own.
//
//	loop, err := poll.New()
//	...
//	defer loop.Close()
//	l := executor.New(executor.Config{Host: loop})
//	task, err := executor.Spawn(l, future)
//	err = loop.Run(l)
package poll

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/watch"
	"github.com/pillion-dev/pillion/foreign/internal/descriptor"
)

// Loop is an event loop that knows one executor. It starts no goroutine and no
// thread.
type Loop struct {
	woken   descriptor.Wakeup
	watched set
}

var (
	_ executor.Host = (*Loop)(nil)
	_ watch.Host    = (*Loop)(nil)
)

// New makes a loop, which holds one descriptor until [Loop.Close].
func New() (*Loop, error) {
	l := new(Loop)
	if err := l.woken.Open(); err != nil {
		return nil, err
	}
	l.watched = newSet(l.FD())
	return l, nil
}

// FD gives the descriptor, so that a program can wait for it elsewhere. It is readable
// when the executor wants a poll.
func (l *Loop) FD() int { return l.woken.FD() }

// Wake implements [executor.Host]. Any goroutine may call it. It fails with
// [executor.ErrClosed] once the loop is closed.
func (l *Loop) Wake() error { return l.woken.Set() }

// Run polls ex until none of its tasks is live, and sleeps while ex has nothing to do.
// It must run on the goroutine that polled ex before.
//
// # Errors
//
// Those of [executor.Local.Poll] and of ppoll(2). [executor.ErrClosed] once the
// loop is closed.
func (l *Loop) Run(ex *executor.Local) error {
	for {
		p, err := ex.Poll(executor.Budget{})
		if err != nil || p.Live == 0 {
			return err
		}
		var wait time.Duration
		if !p.More {
			wait = -1
			if p.Deadline != executor.Never {
				wait = max(0, time.Duration(p.Deadline-ex.Now()))
			}
		}
		if err := l.Wait(wait); err != nil {
			return err
		}
		l.Report(ex)
	}
}

// Wait sleeps until a wake comes, a descriptor is ready or d is over, whichever comes
// first; a negative d is for ever. It takes the wake. [Loop.Report] tells the executor
// which descriptors are ready.
func (l *Loop) Wait(d time.Duration) error {
	if l.FD() < 0 {
		return executor.ErrClosed
	}
	var timeout *unix.Timespec
	if d >= 0 {
		ts := unix.NsecToTimespec(int64(d)) // ppoll never returns early
		timeout = &ts
	}
	n, err := unix.Ppoll(l.watched.fds, timeout, nil)
	if errors.Is(err, unix.EINTR) {
		return nil // the next turn finds out what is left to wait for
	}
	if err != nil || n == 0 || l.watched.fds[0].Revents == 0 {
		return err
	}
	return l.woken.Clear()
}

// Close closes the descriptor. Free the loop's executors first:
// [executor.Local.Free] waits for the last Wake. A second Close does nothing.
func (l *Loop) Close() error { return l.woken.Close() }
