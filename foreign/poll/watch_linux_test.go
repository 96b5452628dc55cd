// SPDX-License-Identifier: Apache-2.0

package poll

import (
	"bytes"
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/watch"
)

type fdCloser int

func (f fdCloser) Close() error { return unix.Close(int(f)) }

func socketpair(t *testing.T) (a, b int) {
	t.Helper()
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return ends[0], ends[1]
}

// readAll reads a descriptor to its end.
func readAll(fd int) executor.Future[int] {
	return coro.New(func(co *coro.Co) (total int, err error) {
		var w executor.Watch
		if err := w.Open(co.Local(), fd, fdCloser(fd)); err != nil {
			return 0, err
		}
		defer w.CloseLocal()
		r := w.Ready(watch.Readable)
		var b [4096]byte
		for {
			n, err := unix.Read(fd, b[:])
			switch {
			case err == unix.EAGAIN:
				if _, err := coro.Await(co, r); err != nil {
					return total, err
				}
			case err != nil || n == 0:
				return total, err
			default:
				total += n
			}
		}
	})
}

func writeAll(fd, total int) executor.Future[int] {
	return coro.New(func(co *coro.Co) (int, error) {
		var w executor.Watch
		if err := w.Open(co.Local(), fd, fdCloser(fd)); err != nil {
			return 0, err
		}
		defer w.CloseLocal()
		r, b := w.Ready(watch.Writable), bytes.Repeat([]byte("x"), 4096)
		for done := 0; done < total; {
			n, err := unix.Write(fd, b[:min(len(b), total-done)])
			switch {
			case err == unix.EAGAIN:
				if _, err := coro.Await(co, r); err != nil {
					return done, err
				}
			case err != nil:
				return done, err
			default:
				done += n
			}
		}
		return total, nil
	})
}

func TestSocketsCarryWhatTheyCannotHold(t *testing.T) {
	loop, l := newLoop(t)
	const pairs, total = 50, 1 << 20
	var tasks []*executor.Task[int]
	for range pairs {
		a, b := socketpair(t)
		for _, f := range []executor.Future[int]{readAll(a), writeAll(b, total)} {
			task, err := executor.Spawn(l, f)
			if err != nil {
				t.Fatal(err)
			}
			tasks = append(tasks, task)
		}
	}
	if err := loop.Run(l); err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		if n, err := task.Result(); n != total || err != nil {
			t.Fatal(n, err)
		}
	}
	if n := len(loop.watched.fds); n != 1 || len(loop.watched.at) != 0 {
		t.Fatal(n, "still watched")
	}
}

// A hang-up is reported unasked, as long as the descriptor is in the set.
func TestWhatNobodyAwaitsDoesNotSpin(t *testing.T) {
	loop, l := newLoop(t)
	a, b := socketpair(t)
	var w executor.Watch
	if err := w.Open(l, a, fdCloser(a)); err != nil {
		t.Fatal(err)
	}
	task, _ := executor.Spawn[watch.Events](l, w.Ready(watch.Readable))
	l.Poll(executor.Budget{})
	task.Cancel()
	unix.Close(b)
	turns := 0
	for l.Live() > 0 {
		turns++
		l.Poll(executor.Budget{})
		loop.Wait(0)
		loop.Report(l)
	}
	if loop.Wait(0); len(loop.watched.fds) != 1 {
		t.Fatal("it is watched still")
	}
	if err := w.CloseLocal(); err != nil || turns > 3 {
		t.Fatal(err, turns)
	}
}

func TestFaultsAndHangUps(t *testing.T) {
	loop, l := newLoop(t)
	ends := make([]int, 2)
	if err := unix.Pipe2(ends, unix.O_NONBLOCK|unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	var w, gone executor.Watch
	w.Open(l, ends[1], fdCloser(ends[1]))
	a, b := socketpair(t)
	gone.Open(l, a, fdCloser(a))
	for range 2 { // the loop stops watching, and is asked again
		task, _ := executor.Spawn[watch.Events](l, w.Ready(watch.Priority))
		unix.Close(ends[0])
		ends[0] = -1
		if err := loop.Run(l); err != nil {
			t.Fatal(err)
		}
		if e, err := task.Result(); e != watch.Fault || err != nil {
			t.Fatal(e, err)
		}
	}
	task, _ := executor.Spawn[watch.Events](l, gone.Ready(watch.Hangup))
	unix.Close(b)
	if err := loop.Run(l); err != nil {
		t.Fatal(err)
	}
	if e, err := task.Result(); e != watch.Hangup || err != nil {
		t.Fatal(e, err)
	}
}

func TestAnotherGoroutineCloses(t *testing.T) {
	loop, l := newLoop(t)
	for range 100 {
		a, b := socketpair(t)
		var w executor.Watch
		w.Open(l, a, fdCloser(a))
		task, _ := executor.Spawn[watch.Events](l, w.Ready(watch.Readable))
		done := make(chan error)
		go func() { done <- w.Close() }()
		if err := loop.Run(l); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if _, err := task.Result(); !errors.Is(err, executor.ErrClosed) {
			t.Fatal(err)
		}
		if _, err := unix.FcntlInt(uintptr(a), unix.F_GETFD, 0); err != unix.EBADF {
			t.Fatal(err)
		}
		unix.Close(b)
	}
}
