// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"encoding/binary"
	"errors"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/future"
	"github.com/pillion-dev/pillion/executor/watch"
)

func init() {
	cases["a_pipe_carries_what_it_cannot_hold"] = pipes
	cases["one_socket_reads_and_writes_at_once"] = carries
	cases["an_eventfd_is_a_semaphore"] = semaphore
	cases["hang_up_comes_to_whoever_waits"] = hangsUp
	cases["a_fault_ends_the_wait_of_a_writer"] = faults
	cases["urgent_data_has_priority"] = urgent
	cases["a_number_that_is_used_again_is_another"] = again
	cases["what_a_cancelled_task_awaited_does_not_spin"] = unawaited
	cases["another_thread_closes_what_is_awaited"] = closes
	cases["thousands_are_watched"] = thousands
	cases["an_executor_is_freed_while_tasks_wait"] = freedWhileWaiting
	cases["a_descriptor_closed_behind_our_back_is_a_fault"] = closedBehind
}

func pipes(r *rig) {
	const total = 1 << 20
	from, to := r.pipe()
	_, err := unix.FcntlInt(uintptr(from), unix.F_SETPIPE_SZ, 4096)
	r.want(err, nil)
	in, out := r.watches(from), r.watches(to)
	r.all(total, reads(in, from, total), writes(out, to, total))
	r.want(in.CloseLocal(), nil)
	r.want(r.l.Free(), nil)
	_, err = unix.FcntlInt(uintptr(to), unix.F_GETFD, 0)
	r.want(err, unix.EBADF) // with the executor
}

func carries(r *rig) {
	const pairs, total = 50, 1 << 18
	var all []executor.Future[int]
	for range pairs {
		a, b := r.sockets()
		first, second := r.watches(a), r.watches(b)
		all = append(all, reads(first, a, total), writes(first, a, total), reads(second, b, total), writes(second, b, total))
	}
	r.all(total, all...)
}

func semaphore(r *rig) {
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	r.want(err, nil)
	w := r.watches(fd)
	for range 2 {
		task := r.awaits(w, watch.Readable)
		_, err := unix.Write(fd, binary.NativeEndian.AppendUint64(nil, 1))
		r.want(err, nil)
		r.run()
		r.want(task.Err(), nil)
		var count [8]byte
		n, err := unix.Read(fd, count[:])
		r.is(n == 8 && err == nil, n, err)
	}
}

func hangsUp(r *rig) {
	a, b := r.sockets()
	w := r.watches(a)
	reader := spawn(r, reads(w, a, 100))
	gone := r.awaits(w, watch.Hangup)
	unix.Write(b, []byte("last"))
	unix.Close(b)
	r.run()
	n, err := reader.Result()
	r.is(n == 4 && err == nil, n, err)
	events, err := gone.Result()
	r.is(events&watch.Hangup != 0 && err == nil, events, err)
}

// The other end of a pipe is closed: poll(2) says POLLERR.
func faults(r *rig) {
	from, to := r.pipe()
	w := r.watches(to)
	task := spawn(r, writes(w, to, 1<<20))
	unix.Close(from)
	r.run()
	r.is(task.Done())
	fault := watch.Fault
	if r.Lacks&watch.Fault != 0 {
		fault = watch.Readable | watch.Writable
	}
	for range 2 { // again, although the host has stopped
		r.comes(w, watch.Readable|watch.Writable, fault)
	}
	r.is(r.wait(10*time.Millisecond) < 10, "it spins")
}

func urgent(r *rig) {
	listening, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	r.want(err, nil)
	defer unix.Close(listening)
	r.want(unix.Bind(listening, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), nil)
	r.want(unix.Listen(listening, 1), nil)
	at, err := unix.Getsockname(listening)
	r.want(err, nil)
	to, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	r.want(err, nil)
	defer unix.Close(to)
	r.want(unix.Connect(to, at), nil)
	from, _, err := unix.Accept4(listening, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	r.want(err, nil)
	r.want(unix.Send(to, []byte("!"), unix.MSG_OOB), nil)
	r.comes(r.watches(from), watch.Priority, watch.Priority)
}

func again(r *rig) {
	before := -1
	for range 20 {
		a, b := r.sockets()
		r.is(before < 0 || a == before, a, "is not", before)
		before = a
		w := r.watches(a)
		task := r.awaits(w, watch.Readable)
		unix.Write(b, []byte("x"))
		r.run()
		events, err := task.Result()
		r.is(events&watch.Readable != 0 && err == nil, events, err)
		r.want(w.CloseLocal(), nil)
		unix.Close(b)
	}
}

// A hang-up is reported unasked, as long as the loop watches the descriptor.
func unawaited(r *rig) {
	a, b := r.sockets()
	w := r.watches(a)
	task := r.awaits(w, watch.Readable)
	task.Cancel()
	r.run()
	unix.Write(b, []byte("x"))
	unix.Close(b)
	rounds := r.wait(10 * time.Millisecond)
	r.is(rounds < 10, rounds, "rounds: it spins")
	r.all(1, reads(w, a, 1))
}

func closes(r *rig) {
	for range 50 { // the numbers are used again
		a, b := r.sockets()
		w := r.watches(a)
		task := spawn(r, w.Ready(watch.Readable))
		var closing sync.WaitGroup
		var err error
		closing.Go(func() { err = w.Close() })
		r.run()
		closing.Wait()
		r.want(err, nil)
		r.want(task.Err(), executor.ErrClosed)
		_, err = unix.FcntlInt(uintptr(a), unix.F_GETFD, 0)
		r.want(err, unix.EBADF)
		unix.Close(b)
	}
}

func thousands(r *rig) {
	var limit unix.Rlimit
	r.want(unix.Getrlimit(unix.RLIMIT_NOFILE, &limit), nil)
	pairs := min(1000, int(limit.Cur)/2-50)
	var all, last []executor.Future[int]
	var open []*executor.Watch
	for range pairs {
		a, b := r.sockets()
		in, out := r.watches(a), r.watches(b)
		all, last = append(all, reads(in, a, 10)), append(last, writes(out, b, 10))
		open = append(open, in)
	}
	r.all(10, append(all, last...)...)
	for _, w := range open { // half of them
		r.want(w.CloseLocal(), nil)
	}
}

func freedWhileWaiting(r *rig) {
	a, b := r.sockets()
	defer unix.Close(b)
	task := r.awaits(r.watches(a), watch.Readable)
	unix.Write(b, []byte("x"))
	r.want(r.l.Free(), nil)
	r.want(task.Err(), executor.ErrCancelled)
	_, err := unix.FcntlInt(uintptr(a), unix.F_GETFD, 0)
	r.want(err, unix.EBADF)
}

func closedBehind(r *rig) {
	a, b := r.sockets()
	var w executor.Watch
	r.want(w.Open(r.l, a, nil), nil)
	unix.Close(a)
	unix.Close(b)
	task := spawn(r, future.Timeout(time.Minute, w.Ready(watch.Readable)))
	r.run()
	events, err := task.Result()
	r.is(events&watch.Fault != 0 || err != nil && !errors.Is(err, executor.ErrTimedOut), events, err)
	r.want(w.CloseLocal(), nil)
}
