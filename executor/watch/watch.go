// SPDX-License-Identifier: Apache-2.0

// Package watch is what loops that watch descriptors and tasks that await them have in
// common. The descriptor itself is an [executor.Watch].
//
// [executor.Watch]: https://pkg.go.dev/github.com/pillion-dev/pillion/executor#Watch
package watch

import "errors"

// Events says what a descriptor is ready for.
type Events uint32

const (
	Readable Events = 1 << iota
	Writable
	Hangup   // the other side is gone, or will send no more
	Priority // urgent data, or a change of a file in /proc
	Fault    // an error, which the next read or write tells; only reported, never asked for
)

// Host is an executor's host that watches descriptors. The owner calls both methods,
// also in turns.
//
// Watch names the events of fd that the host reports to [executor.Local.Ready],
// together with key, as long as they stand. The first call for a key registers the
// descriptor, and later calls change the events. With no events the host keeps the
// descriptor and reports nothing, not even a hang-up. After an error nothing has
// changed.
//
// Unwatch makes the host let go of a descriptor, before it is closed.
//
// [executor.Local.Ready]: https://pkg.go.dev/github.com/pillion-dev/pillion/executor#Local.Ready
type Host interface {
	Watch(fd int, events Events, key uint64) error
	Unwatch(fd int, key uint64)
}

// ErrUnwatchable says that the host can't watch that descriptor, or none at all. It
// matches errors.ErrUnsupported.
var ErrUnwatchable error = unwatchable{}

type unwatchable struct{}

func (unwatchable) Error() string {
	return "executor: the host can't watch it: " + errors.ErrUnsupported.Error()
}

func (unwatchable) Unwrap() error { return errors.ErrUnsupported }
