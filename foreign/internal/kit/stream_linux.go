// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"bytes"
	"errors"

	"golang.org/x/sys/unix"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/watch"
)

// closer closes a descriptor.
type closer int

func (c closer) Close() error { return unix.Close(int(c)) }

func (r *rig) sockets() (a, b int) {
	r.Helper()
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	r.want(err, nil)
	return ends[0], ends[1]
}

func (r *rig) pipe() (from, to int) {
	r.Helper()
	var ends [2]int
	r.want(unix.Pipe2(ends[:], unix.O_NONBLOCK|unix.O_CLOEXEC), nil)
	return ends[0], ends[1]
}

// watches opens a watch that closes fd at its end.
func (r *rig) watches(fd int) *executor.Watch {
	r.Helper()
	w := new(executor.Watch)
	r.want(w.Open(r.l, fd, closer(fd)), nil)
	return w
}

// awaits spawns a task that awaits events, and makes rounds until it has begun.
func (r *rig) awaits(w *executor.Watch, events watch.Events) *executor.Task[watch.Events] {
	r.Helper()
	begun := false
	task := spawn(r, coro.New(func(co *coro.Co) (watch.Events, error) {
		begun = true
		return coro.Await(co, w.Ready(events))
	}))
	r.until(func() bool { return begun })
	return task
}

// comes runs the loop until an event of w has come.
func (r *rig) comes(w *executor.Watch, asked, want watch.Events) {
	r.Helper()
	task := spawn(r, w.Ready(asked))
	r.run()
	got, err := task.Result()
	r.is(got&want != 0 && err == nil, got, err)
}

func receive(co *coro.Co, r *rig) error {
	a, b := r.sockets()
	defer unix.Close(b)
	var w executor.Watch
	if err := w.Open(r.l, a, closer(a)); err != nil {
		return err
	}
	defer w.CloseLocal()
	go unix.Write(b, []byte("x"))
	if _, err := coro.Await(co, w.Ready(watch.Readable)); !errors.Is(err, watch.ErrUnwatchable) {
		return err
	}
	return nil
}

// stream reads or writes so many bytes, a few at a time.
func stream(w *executor.Watch, events watch.Events, total int, f func(b []byte) (int, error)) executor.Future[int] {
	return coro.New(func(co *coro.Co) (done int, err error) {
		ready, b := w.Ready(events), bytes.Repeat([]byte("x"), 4096)
		for done < total {
			n, err := f(b[:min(len(b), total-done)])
			switch {
			case err == unix.EAGAIN:
				if _, err := coro.Await(co, ready); err != nil {
					return done, err
				}
			case err != nil || n == 0:
				return done, err
			default:
				done += n
			}
		}
		return done, nil
	})
}

func reads(w *executor.Watch, fd, total int) executor.Future[int] {
	return stream(w, watch.Readable, total, func(b []byte) (int, error) { return unix.Read(fd, b) })
}

func writes(w *executor.Watch, fd, total int) executor.Future[int] {
	return stream(w, watch.Writable, total, func(b []byte) (int, error) { return unix.Write(fd, b) })
}

// all runs tasks, each of which gives a number.
func (r *rig) all(want int, futures ...executor.Future[int]) {
	r.Helper()
	var tasks []*executor.Task[int]
	for _, f := range futures {
		tasks = append(tasks, spawn(r, f))
	}
	r.run()
	for _, task := range tasks {
		n, err := task.Result()
		r.is(n == want && err == nil, n, err)
	}
}
