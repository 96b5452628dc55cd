// SPDX-License-Identifier: Apache-2.0

package suite

import (
	"bytes"
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/watch"
)

// Closer closes a descriptor.
type Closer int

func (c Closer) Close() error { return unix.Close(int(c)) }

// Sockets makes two that are connected.
func Sockets(t *testing.T) (a, b int) {
	t.Helper()
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return ends[0], ends[1]
}

// WatchCases runs the cases of loops that watch descriptors.
func WatchCases(t *testing.T, open func(t *testing.T) Rig) {
	for name, test := range map[string]func(t *testing.T, r Rig){
		"OneSocketReadsAndWritesAtOnce":    carries,
		"HangUpComesToWhoeverWaits":        hangsUp,
		"AFaultEndsTheWaitOfAWriter":       faults,
		"AnotherThreadClosesWhatIsAwaited": closes,
		"ARegularFile":                     file,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func (p *program) receive(co *coro.Co) error {
	a, b := Sockets(p.t)
	defer unix.Close(b)
	var w executor.Watch
	if err := w.Open(p.Local, a, Closer(a)); err != nil {
		return err
	}
	defer w.CloseLocal()
	go unix.Write(b, []byte("x"))
	_, err := coro.Await(co, w.Ready(watch.Readable))
	return err
}

// readAll reads a descriptor to its end.
func readAll(fd int) executor.Future[int] {
	return coro.New(func(co *coro.Co) (total int, err error) {
		var w executor.Watch
		if err := w.Open(co.Local(), fd, Closer(fd)); err != nil {
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
		if err := w.Open(co.Local(), fd, Closer(fd)); err != nil {
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

func carries(t *testing.T, r Rig) {
	const pairs, total = 50, 1 << 20
	var tasks []*executor.Task[int]
	for range pairs {
		a, b := Sockets(t)
		for _, f := range []executor.Future[int]{readAll(a), writeAll(b, total)} {
			task, err := executor.Spawn(r.Local, f)
			if err != nil {
				t.Fatal(err)
			}
			tasks = append(tasks, task)
		}
	}
	r.run(t)
	for _, task := range tasks {
		if n, err := task.Result(); n != total || err != nil {
			t.Fatal(n, err)
		}
	}
}

// await runs the loop until an event of w has come.
func (r Rig) await(t *testing.T, w *executor.Watch, asked, want watch.Events) {
	t.Helper()
	task, _ := executor.Spawn[watch.Events](r.Local, w.Ready(asked))
	r.run(t)
	if got, err := task.Result(); got&want != want || err != nil {
		t.Fatal(got, err)
	}
}

func hangsUp(t *testing.T, r Rig) {
	a, b := Sockets(t)
	var w executor.Watch
	w.Open(r.Local, a, Closer(a))
	defer w.CloseLocal()
	unix.Close(b)
	r.await(t, &w, watch.Hangup, watch.Hangup)
}

func faults(t *testing.T, r Rig) {
	if !r.Faults {
		t.Skip("the loop tells of none")
	}
	ends := make([]int, 2)
	if err := unix.Pipe2(ends, unix.O_NONBLOCK|unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	var w executor.Watch
	w.Open(r.Local, ends[1], Closer(ends[1]))
	defer w.CloseLocal()
	unix.Close(ends[0])
	for range 2 { // the loop stops watching, and is asked again
		r.await(t, &w, watch.Readable, watch.Fault)
	}
}

func closes(t *testing.T, r Rig) {
	for range 100 { // the numbers are used again
		a, b := Sockets(t)
		var w executor.Watch
		w.Open(r.Local, a, Closer(a))
		task, _ := executor.Spawn[watch.Events](r.Local, w.Ready(watch.Readable))
		done := make(chan error)
		go func() { done <- w.Close() }()
		r.run(t)
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

func file(t *testing.T, r Rig) {
	fd, err := unix.Open("/proc/self/exe", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var w executor.Watch
	w.Open(r.Local, fd, Closer(fd))
	defer w.CloseLocal()
	task, _ := executor.Spawn[watch.Events](r.Local, w.Ready(watch.Readable))
	r.run(t)
	if got, err := task.Result(); got != watch.Readable && !errors.Is(err, watch.ErrUnwatchable) {
		t.Fatal(got, err)
	}
}
