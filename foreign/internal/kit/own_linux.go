// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"errors"
	"runtime"
	"time"

	"github.com/ebitengine/purego"
	"golang.org/x/sys/unix"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/future"
	"github.com/pillion-dev/pillion/executor/watch"
	"github.com/pillion-dev/pillion/foreign"
)

// Cases of hosts on loops of C's, beside those of the list.
func init() {
	cases["a_loop_run_on_the_wrong_thread_does_not_spin"] = wrongThread
	cases["coroutines_end_where_they_begin"] = endsHere
	cases["an_eviction_outside_of_turns"] = evicts
	cases["a_host_is_closed_without_an_executor"] = closedEarly
	cases["a_goroutine_is_locked_from_attach_to_close"] = locked
	cases["a_loop_in_a_handler_puts_turns_off"] = putsOff
	cases["a_loop_in_a_free_puts_turns_off"] = nestedInFree
	cases["a_panic_stays_on_its_side"] = panics
	cases["hosts_take_no_more_callbacks"] = slots
}

// Go would end the process if coroutines were polled there.
func wrongThread(r *rig) {
	_, task := r.suspend()
	go task.Cancel()
	rounds := make(chan int)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		r.until(func() bool { return r.host.Err() != nil })
		rounds <- r.wait(20 * time.Millisecond)
	}()
	n := <-rounds
	r.is(n < 10, n, "rounds: it spins")
	r.want(r.host.Err(), foreign.ErrWrongThread)
	r.want(r.host.Run(), foreign.ErrWrongThread)
	r.is(!task.Done(), "it was polled")
}

// idling leaves a coroutine suspended, and idle ones.
func (r *rig) idling() *executor.Task[int] {
	r.Helper()
	r.work()
	task := spawn(r, coro.New(func(co *coro.Co) (int, error) { return coro.Await(co, &probe{}) }))
	spawn(r, worker(1))
	r.until(func() bool { return r.l.Live() == 1 })
	r.is(coro.Suspended(r.l) == 1 && coro.Idle(r.l) > 0, coro.Suspended(r.l), coro.Idle(r.l))
	return task
}

// Go ends the process if the free is made outside of callbacks.
func endsHere(r *rig) {
	task := r.idling()
	r.want(r.l.Release(), executor.ErrBusy)
	task.Cancel()
	r.run()
	r.want(r.l.Release(), nil) // idle ones only
	task = r.idling()
	r.want(r.closeElsewhere(), foreign.ErrWrongThread)
	r.want(r.l.Free(), nil)
	r.want(task.Err(), executor.ErrCancelled)
	r.is(coro.Suspended(r.l) == 0 && coro.Idle(r.l) == 0, "coroutines are left")
}

func (r *rig) closeElsewhere() error {
	answer := make(chan error)
	go func() { answer <- r.host.Close() }()
	return <-answer
}

func evicts(r *rig) {
	for _, evict := range []func(f func()){
		func(f func()) { f() },
		inHandler,
		func(f func()) { r.After(0, f) },
	} {
		task := r.idling()
		var err error
		evict(func() { err = r.l.Evict(task.Handle()) })
		r.until(task.Done)
		r.want(err, nil)
	}
	task := r.idling()
	var evict, free, closing error
	inHandler(func() {
		inHandler(func() { // deeper than turns
			evict, free, closing = r.l.Evict(task.Handle()), r.l.Free(), r.host.Close()
		})
	})
	r.want(evict, executor.ErrReentrant)
	r.want(free, executor.ErrReentrant)
	r.want(closing, executor.ErrReentrant)
	r.is(!task.Done())
}

func closedEarly(r *rig) {
	other := r.apart(executor.Config{})
	r.want(other.host.Wake(), nil)
	other.close()
}

func locked(r *rig) {
	done := make(chan struct{})
	go func() { // it isn't locked
		defer close(done)
		other := r.apart(executor.Config{})
		if err := other.host.Attach(other.l); err != nil {
			r.Error(err)
			return
		}
		thread := unix.Gettid()
		for range 20 {
			spawn(other, worker(1))
			if err := other.host.Run(); err != nil || unix.Gettid() != thread {
				r.Error(err, "or another thread")
			}
			for range 10 {
				go runtime.Gosched()
				runtime.Gosched()
			}
		}
		other.close()
	}()
	<-done
}

// putsOff lets a loop run in a Go handler while things come that tasks await.
func putsOff(r *rig) {
	a, b := r.sockets()
	defer unix.Close(b)
	w := r.watches(a)
	inside, begun, ends := false, 0, 0
	var waker executor.Waker
	wait := func(f func(co *coro.Co) error) {
		spawn(r, coro.New(func(co *coro.Co) (int, error) {
			begun++
			err := f(co)
			if inside {
				r.Error("a turn was made in there")
			}
			ends++
			return 0, err
		}))
	}
	wait(func(co *coro.Co) error {
		_, err := coro.Await(co, w.Ready(watch.Readable))
		return err
	})
	wait(func(co *coro.Co) error {
		_, err := coro.Await(co, future.Sleep(5*time.Millisecond))
		return err
	})
	wait(func(co *coro.Co) error {
		waker = co.Context().Waker()
		_, err := coro.Await(co, &probe{last: 2})
		return err
	})
	r.until(func() bool { return begun == 3 })
	run := func() {
		inside = true
		defer func() { inside = false }()
		unix.Write(b, []byte("x"))
		waker.Wake()
		wait(func(*coro.Co) error { return nil })
		r.dialog(50 * time.Millisecond)
		if err := r.host.Run(); err != executor.ErrReentrant {
			r.Error(err)
		}
	}
	if r.why("a_loop_inside_a_poll_neither_spins_nor_loses_anything") == "" {
		r.After(0, run)
	} else {
		inHandler(run) // of something else
	}
	r.run()
	r.is(ends == 4, ends)
	r.work()
}

// nestedInFree runs the loop in a body that a free of another executor on it ends.
func nestedInFree(r *rig) {
	outer := r.beside(executor.Config{})
	open, begun, shown := false, 0, 0
	spawn(outer, coro.New(func(co *coro.Co) (int, error) {
		defer func() {
			open = true
			shown++
			r.dialog(30 * time.Millisecond)
			open = false
		}()
		begun++
		_, err := coro.Await(co, forever())
		return 0, err
	}))
	sleeper := spawn(r, coro.New(func(co *coro.Co) (int, error) {
		begun++
		_, err := coro.Await(co, future.Sleep(20*time.Millisecond))
		if open {
			r.Error("a turn was made in there")
		}
		return 0, err
	}))
	r.until(func() bool { return begun == 2 })
	r.want(outer.l.Free(), nil)
	r.run()
	r.want(sleeper.Err(), nil)
	r.is(shown == 1, shown)
}

func panics(r *rig) {
	spawn(r, future.Sleep(5*time.Millisecond)) // its timer stays armed
	spawn(r, worker(1), executor.OnDone[int](func(int, error, executor.Outcome) { panic("mine") }))
	err := r.host.Run()
	var panicked *executor.PanicError
	r.is(errors.As(err, &panicked) && panicked.Value == "mine", err)
	r.want(r.host.Err(), err)
	spawn(r, future.Sleep(0))
	rounds := r.wait(20 * time.Millisecond)
	r.is(rounds < 10, rounds, "rounds: it makes no more turns")
}

func slots(r *rig) {
	use := func() {
		other := r.beside(executor.Config{})
		other.work()
		other.close()
		r.wait(time.Millisecond)
	}
	use()
	probe := func() uintptr { return purego.NewCallback(func() uintptr { return 0 }) }
	first, second := probe(), probe()
	for range 20 {
		use()
	}
	r.is(probe()-second == second-first, "callbacks were made")
}
