// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/future"
	"github.com/pillion-dev/pillion/executor/watch"
)

func init() {
	cases["the_programs_descriptors_have_their_turn"] = theirTurn
	cases["a_poll_runs_the_loop"] = runsInPoll
	cases["a_loop_is_destroyed_while_tasks_await_descriptors"] = destroyedWhileWaiting
	cases["a_freed_executors_descriptor_is_the_programs"] = usedAgain
	cases["an_attach_without_descriptors_changes_nothing"] = noDescriptors
	cases["descriptors_are_awaited_where_none_is_left"] = noneLeft
	cases["a_regular_file"] = file
	cases["events_that_the_loop_lacks_are_refused"] = lacking
	cases["a_ready_descriptor_that_no_task_awaits_does_not_spin"] = readyUnawaited
	cases["a_closed_watch_lets_go_of_its_descriptor"] = letsGo
	cases["the_program_watches_the_same_descriptor"] = shared
}

// reader takes a byte in each round in which its descriptor is readable.
func (r *rig) reader(fd int) *int {
	r.Helper()
	count := new(int)
	r.want(r.Readable(fd, func() {
		if n, _ := unix.Read(fd, make([]byte, 1)); n == 1 {
			*count++
		}
	}), nil)
	return count
}

// Tasks that are always ready leave the program its descriptors.
func theirTurn(r *rig) {
	a, b := r.sockets()
	defer unix.Close(b)
	busy, count := &probe{self: true}, 0
	r.want(r.Readable(a, func() { count++ }), nil)
	unix.Write(b, []byte("x"))
	task := spawn(r, busy)
	r.until(func() bool { return count >= 10 })
	r.is(busy.polls > 0 && busy.polls < 100, busy.polls)
	busy.last = busy.polls + 1
	unix.Read(a, make([]byte, 1))
	r.until(task.Done)
}

// What is reported while no turn can be made is not forgotten.
func runsInPoll(r *rig) {
	a, b := r.sockets()
	defer unix.Close(b)
	reader := spawn(r, reads(r.watches(a), a, 1))
	r.settle()
	unix.Write(b, []byte("x"))
	p := &probe{last: 1, then: func(*executor.Context) { r.settle() }}
	spawn(r, p)
	r.run()
	n, err := reader.Result()
	r.is(p.drops == 1 && n == 1 && err == nil, p.drops, n, err)
}

func destroyedWhileWaiting(r *rig) {
	a, b := r.sockets()
	in, late := r.watches(a), r.watches(b)
	waits := r.awaits(in, watch.Readable)
	r.Destroy()
	spawn(r, late.Ready(watch.Readable))
	r.close()
	r.want(waits.Err(), executor.ErrCancelled)
	for _, fd := range []int{a, b} {
		_, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		r.want(err, unix.EBADF)
	}
}

// Its number is the next one's, which the loop watches for the program.
func usedAgain(r *rig) {
	its := r.apart(executor.Config{})
	a, b := r.sockets()
	defer unix.Close(a)
	defer unix.Close(b)
	fd, err := unix.FcntlInt(uintptr(a), unix.F_DUPFD_CLOEXEC, 3)
	r.want(err, nil)
	unix.Close(fd)
	its.close() // its descriptor was below
	its = r.beside(executor.Config{})
	its.work()
	its.close()
	again, err := unix.FcntlInt(uintptr(a), unix.F_DUPFD_CLOEXEC, 3)
	r.want(err, nil)
	defer unix.Close(again)
	r.is(again < fd, again, "is a new number")
	unix.Write(b, []byte("xyz"))
	r.settle() // nothing is ready
	count := r.reader(again)
	r.until(func() bool { return *count == 3 })
}

// withoutDescriptors calls f when there is none left.
func (r *rig) withoutDescriptors(f func()) {
	var before unix.Rlimit
	r.want(unix.Getrlimit(unix.RLIMIT_NOFILE, &before), nil)
	none := before
	none.Cur = 3
	r.want(unix.Setrlimit(unix.RLIMIT_NOFILE, &none), nil)
	f()
	r.want(unix.Setrlimit(unix.RLIMIT_NOFILE, &before), nil)
}

// What a loop needs itself is there: the host's own are not, when it is made or attached.
func noDescriptors(r *rig) {
	loop := r.Driver.bare(r)
	var err error
	r.withoutDescriptors(func() {
		var host Host
		if host, err = loop.Host(); err == nil {
			err = host.Close() // it needs none
		}
	})
	r.is(err == nil || errors.Is(err, unix.EMFILE), err)
	other := loop.apart(executor.Config{})
	r.withoutDescriptors(func() { err = other.host.Attach(other.l) })
	if err != nil {
		r.is(errors.Is(err, unix.EMFILE), err)
		r.want(other.host.Attach(other.l), nil)
	}
	other.work()
	r.work()
}

// To watch one, to sleep and to wake takes none.
func noneLeft(r *rig) {
	a, b := r.sockets()
	reader, slept := reads(r.watches(a), a, 100), future.Sleep(2*time.Millisecond)
	r.work()
	var task *executor.Task[int]
	var err error
	r.withoutDescriptors(func() {
		task = spawn(r, reader)
		spawn(r, slept)
		spawn(r, worker(2))
		r.settle()
		unix.Write(b, []byte("x"))
		unix.Close(b)
		err = r.host.Run()
	})
	r.want(err, nil)
	n, err := task.Result()
	r.is(n == 1 && err == nil && r.l.Live() == 0, n, err)
}

func file(r *rig) {
	fd, err := unix.Open("/proc/self/exe", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	r.want(err, nil)
	task := spawn(r, r.watches(fd).Ready(watch.Readable))
	r.run()
	if events, err := task.Result(); r.Files {
		r.is(events == watch.Readable && err == nil, events, err)
	} else {
		r.want(err, watch.ErrUnwatchable)
	}
}

func lacking(r *rig) {
	for _, events := range []watch.Events{watch.Priority, watch.Hangup} {
		a, b := r.sockets()
		w := r.watches(a)
		task := r.awaits(w, events)
		r.settle()
		r.is(task.Done() == (r.Lacks&events != 0), events, task.Done())
		if task.Done() {
			r.want(task.Err(), watch.ErrUnwatchable)
		}
		task.Cancel()
		r.run()
		r.want(w.CloseLocal(), nil)
		unix.Close(b)
	}
}

// The loop reports it once, and then waits.
func readyUnawaited(r *rig) {
	a, b := r.sockets()
	defer unix.Close(b)
	task := r.awaits(r.watches(a), watch.Readable)
	task.Cancel()
	r.run()
	unix.Write(b, []byte("x"))
	rounds := r.wait(5 * time.Millisecond)
	r.is(rounds < 30, rounds, "rounds")
}

// The descriptor stays open, and goes to another executor's watch.
func letsGo(r *rig) {
	a, b := r.sockets()
	defer unix.Close(a)
	defer unix.Close(b)
	other := r.beside(executor.Config{})
	for i, its := range []*rig{r, other} {
		var w executor.Watch
		r.want(w.Open(its.l, a, nil), nil)
		task := its.awaits(&w, watch.Readable)
		if i == 0 {
			task.Cancel()
		} else {
			unix.Write(b, []byte("x"))
		}
		its.run()
		events, _ := task.Result()
		r.is(i == 0 || events == watch.Readable, events)
		r.want(w.CloseLocal(), nil)
	}
}

// Where a loop takes a descriptor once a task is refused; or each hears of its own events
// only.
func shared(r *rig) {
	a, b := r.sockets()
	defer unix.Close(a)
	count := r.reader(a)
	var w executor.Watch
	r.want(w.Open(r.l, a, nil), nil)
	task := r.awaits(&w, watch.Hangup)
	r.settle()
	r.is(task.Done() == r.Once, task.Done())
	for i := range 3 {
		unix.Write(b, []byte("x"))
		r.until(func() bool { return *count == i+1 })
		r.is(task.Done() == r.Once, "it has heard of a byte")
	}
	unix.Close(b)
	if r.Once {
		r.want(task.Err(), executor.ErrBusy)
	} else {
		r.until(task.Done)
		events, err := task.Result()
		r.is(events&watch.Hangup != 0 && err == nil, events, err)
	}
	r.want(w.CloseLocal(), nil)
}
