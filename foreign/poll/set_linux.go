// SPDX-License-Identifier: Apache-2.0

package poll

import (
	"golang.org/x/sys/unix"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/watch"
	"github.com/pillion-dev/pillion/foreign/internal/descriptor"
)

// set is the argument of poll(2), kept from one wait to the next. A descriptor with no
// event asked for isn't in it, since poll(2) reports hang-ups unasked.
type set struct {
	fds  []unix.PollFd // the first is the loop's own
	keys []uint64
	at   map[int]int // by descriptor: its place in fds
}

func newSet(fd int) set {
	return set{
		fds:  []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}},
		keys: []uint64{0},
		at:   make(map[int]int),
	}
}

func (s *set) watch(fd int, events watch.Events, key uint64) {
	i, ok := s.at[fd]
	if !ok {
		i = len(s.fds)
		s.fds = append(s.fds, unix.PollFd{})
		s.keys = append(s.keys, 0)
		s.at[fd] = i
	}
	s.fds[i] = unix.PollFd{Fd: int32(fd), Events: descriptor.ToPoll(events)}
	s.keys[i] = key
}

// remove puts the last descriptor in the place of fd.
func (s *set) remove(fd int) {
	i, ok := s.at[fd]
	if !ok {
		return
	}
	last := len(s.fds) - 1
	s.fds[i], s.keys[i] = s.fds[last], s.keys[last]
	s.at[int(s.fds[i].Fd)] = i
	s.fds, s.keys = s.fds[:last], s.keys[:last]
	delete(s.at, fd)
}

// Watch implements [watch.Host].
func (l *Loop) Watch(fd int, events watch.Events, key uint64) error {
	if events == 0 {
		l.watched.remove(fd)
	} else {
		l.watched.watch(fd, events, key)
	}
	return nil
}

// Unwatch implements [watch.Host].
func (l *Loop) Unwatch(fd int, _ uint64) { l.watched.remove(fd) }

// Report tells ex what the latest [Loop.Wait] found ready. [Loop.Run] calls it. A
// program that calls Wait itself calls Report before it polls.
func (l *Loop) Report(ex *executor.Local) {
	s := &l.watched
	for i := len(s.fds) - 1; i > 0; i-- { // a report may remove its own descriptor
		came, key := s.fds[i].Revents, s.keys[i]
		if came == 0 {
			continue
		}
		s.fds[i].Revents = 0
		events := descriptor.FromPoll(came)
		if events&watch.Fault != 0 {
			s.remove(int(s.fds[i].Fd))
		}
		ex.Ready(key, events)
	}
}
