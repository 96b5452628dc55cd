// SPDX-License-Identifier: Apache-2.0

package hostsuite

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/future"
	"github.com/pillion-dev/pillion/executor/watch"
	"github.com/pillion-dev/pillion/foreign/internal/suite"
)

// nested lets a loop run in a Go handler while things come that tasks await.
func nested(t *testing.T, p *place) {
	a, b := suite.Sockets(t)
	defer unix.Close(b)
	var w executor.Watch
	want(t, w.Open(p.l, a, suite.Closer(a)), nil)
	defer w.CloseLocal()
	inside, begun, ends := false, 0, 0
	end := func(err error) (int, error) {
		if inside {
			t.Error("a turn was made in there")
		}
		ends++
		return 0, err
	}
	var waker executor.Waker
	woken := false
	executor.Spawn(p.l, coro.New(func(co *coro.Co) (int, error) {
		begun++
		_, err := coro.Await(co, w.Ready(watch.Readable))
		return end(err)
	}))
	executor.Spawn(p.l, coro.New(func(co *coro.Co) (int, error) {
		begun++
		_, err := coro.Await(co, future.Sleep(5*time.Millisecond))
		return end(err)
	}))
	executor.Spawn(p.l, coro.New(func(co *coro.Co) (int, error) {
		begun++
		waker = co.Context().Waker()
		return coro.Await(co, future.Func[int](func(*executor.Context) (int, bool, error) {
			if woken {
				_, err := end(nil)
				return 0, true, err
			}
			return 0, false, nil
		}))
	}))
	p.until(func() bool { return begun == 3 })
	run := func() {
		inside = true
		defer func() { inside = false }()
		unix.Write(b, []byte("x"))
		woken = true
		waker.Wake()
		executor.Spawn(p.l, coro.New(func(*coro.Co) (int, error) { return end(nil) }))
		if rounds := p.wait(50 * time.Millisecond); rounds > 30 {
			t.Error(rounds, "rounds: it spins")
		}
		want(t, p.host.Run(), executor.ErrReentrant)
	}
	if p.Nests {
		p.After(0, run)
	} else {
		inHandler(run) // of something else
	}
	p.run(t)
	if ends != 4 {
		t.Fatal(ends)
	}
	p.work(t)
}

// dialog runs the loop for a while, where no turn can be made.
type dialog struct {
	*place
	t     *testing.T
	open  bool
	shown int
}

func (d *dialog) show() {
	d.open = true
	d.shown++
	if rounds := d.wait(30 * time.Millisecond); rounds > 30 {
		d.t.Error(rounds, "rounds: it spins")
	}
	d.open = false
}

// sleeper is a coroutine that has begun, and is due while the dialog is shown.
func (d *dialog) sleeper() *executor.Task[int] {
	begun := false
	task, _ := executor.Spawn(d.l, coro.New(func(co *coro.Co) (int, error) {
		begun = true
		_, err := coro.Await(co, future.Sleep(2*time.Millisecond))
		if d.open {
			d.t.Error("a turn was made in there")
		}
		return 0, err
	}))
	d.until(func() bool { return begun })
	return task
}

// nestedInPoll runs the loop in a poll of another executor on it.
func nestedInPoll(t *testing.T, p *place) {
	if !p.Nests {
		t.Skip("the loop forbids it")
	}
	d := &dialog{place: p, t: t}
	outer, sleeper := add(t, p.Loop), d.sleeper()
	executor.Spawn(outer.l, coro.New(func(co *coro.Co) (int, error) {
		d.show()
		return 0, co.Yield()
	}))
	outer.run(t)
	p.run(t)
	want(t, sleeper.Err(), nil)
	if d.shown != 1 {
		t.Fatal(d.shown)
	}
}

// nestedInFree runs the loop in a body that a free of another executor on it ends.
func nestedInFree(t *testing.T, p *place) {
	d := &dialog{place: p, t: t}
	outer, begun := add(t, p.Loop), false
	executor.Spawn(outer.l, coro.New(func(co *coro.Co) (int, error) {
		defer d.show()
		begun = true
		_, err := coro.Await(co, future.SleepUntil(executor.Never))
		return 0, err
	}))
	outer.until(func() bool { return begun })
	sleeper := d.sleeper()
	want(t, outer.l.Free(), nil)
	p.run(t)
	want(t, sleeper.Err(), nil)
	if d.shown != 1 {
		t.Fatal(d.shown)
	}
}
