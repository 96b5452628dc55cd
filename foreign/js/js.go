// SPDX-License-Identifier: Apache-2.0

// Package js is the host of Go on JavaScript's event loop: in a browser's window or worker,
// and in Node. There is one executor, [Local], since JavaScript has one thread. Its tasks
// run in turns that JavaScript makes, and await what JavaScript does: [Fetch], or anything
// else by an [Ask]. The module is built by capi/build, and bindings/browser loads it.
//
// # What crosses
//
// Both sides write records into buffers of Go's memory, so one crossing carries all that
// has come together: JavaScript writes Go's, then calls pillion_turn, then reads its own.
// Numbers stand for promises and calls. No function of JavaScript's is wrapped for Go, and
// but for pillion_wake, by which Go asks for a turn, Go calls none.
//
// A record is a head of 32 bytes and a payload of a multiple of 8. All numbers are little
// endian.
//
//	uint32 what, id, a, b    see the constants of [Record]
//	uint32 address           of the payload, or 0: it follows
//	uint32 length            of the payload
//	float64 time             milliseconds, if the record has one
//
// pillion_page gives the address of [page], and pillion_room makes room for records to Go.
//
// # Goroutines
//
// A goroutine that a turn starts or wakes doesn't run before Go's scheduler does. A turn
// that leaves some behind says so, and JavaScript then resumes Go. A turn must not wait: a
// function on the loop that blocks, say in a receive from a channel, ends the module. Go's
// memory is in use while it waits, so JavaScript can't call it any more.
package js

import (
	"time"

	"github.com/pillion-dev/pillion/executor"
)

var start = time.Now()

// host asks JavaScript for a turn.
type host struct{}

func (host) Wake() error {
	wake()
	return nil
}

// clock reads Go's clock, and keeps the time for the page.
func clock() int64 {
	now := int64(time.Since(start))
	shared.now = float64(now) / 1e6
	return now
}

var local = executor.New(executor.Config{Host: host{}, Clock: clock})

// Local is the executor of this module. Its owner is whatever runs in a turn: a task, or
// the handler of a record.
func Local() *executor.Local { return local }
