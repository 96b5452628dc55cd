// SPDX-License-Identifier: Apache-2.0

// Package descriptor has what hosts that watch descriptors share: the eventfd that a wake
// makes readable, and the bits of poll(2), which are those of epoll(7) and GLib, too.
package descriptor

import (
	"encoding/binary"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/watch"
)

// aboveStdio is the least descriptor of ours. In a program that has closed stderr,
// a write to it must not meet one of ours.
const aboveStdio = 3

// Wakeup is an eventfd. It is readable from [Wakeup.Set] to [Wakeup.Clear].
type Wakeup struct{ fd atomic.Int64 } // -1 once closed

// Open makes the descriptor.
func (w *Wakeup) Open() error {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err == nil && fd < aboveStdio {
		low := fd
		fd, err = unix.FcntlInt(uintptr(low), unix.F_DUPFD_CLOEXEC, aboveStdio)
		unix.Close(low)
	}
	if err != nil {
		return err
	}
	w.fd.Store(int64(fd))
	return nil
}

// FD gives the descriptor, or -1 once it is closed.
func (w *Wakeup) FD() int { return int(w.fd.Load()) }

// Set makes the descriptor readable. Any goroutine may call it. It fails with
// [executor.ErrClosed] once the descriptor is closed.
func (w *Wakeup) Set() error {
	fd := w.FD()
	if fd < 0 {
		return executor.ErrClosed
	}
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	for {
		_, err := unix.Write(fd, one[:])
		if err == unix.EAGAIN {
			return nil // as readable as it can be
		}
		if err != unix.EINTR {
			return err
		}
	}
}

// Clear takes all calls of Set.
func (w *Wakeup) Clear() error {
	var count [8]byte
	if _, err := unix.Read(w.FD(), count[:]); err != nil && err != unix.EAGAIN && err != unix.EINTR {
		return err
	}
	return nil
}

// Close closes the descriptor. A second call does nothing.
func (w *Wakeup) Close() error {
	if fd := w.fd.Swap(-1); fd >= 0 {
		return unix.Close(int(fd))
	}
	return nil
}

var bits = [...]struct {
	event watch.Events
	asked int16
	came  int16
}{
	{watch.Readable, unix.POLLIN, unix.POLLIN},
	{watch.Writable, unix.POLLOUT, unix.POLLOUT},
	{watch.Priority, unix.POLLPRI, unix.POLLPRI},
	{watch.Hangup, unix.POLLRDHUP, unix.POLLRDHUP | unix.POLLHUP},
	{watch.Fault, 0, unix.POLLERR | unix.POLLNVAL},
}

// ToPoll gives the bits to ask for.
func ToPoll(events watch.Events) (asked int16) {
	for _, b := range bits {
		if events&b.event != 0 {
			asked |= b.asked
		}
	}
	return asked
}

// FromPoll gives the events of bits that came.
func FromPoll(came int16) (events watch.Events) {
	for _, b := range bits {
		if came&b.came != 0 {
			events |= b.event
		}
	}
	return events
}
