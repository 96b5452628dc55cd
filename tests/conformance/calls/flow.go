// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/carrier"
)

const windowIn = 32 // items from the host that may wait for Go

// item is one that Go has sent: a one-way call if function isn't -1.
type item struct {
	function int
	text     string
}

// call is a call of the host's. It implements [carrier.Call].
type call struct {
	*host
	name   string
	shape  string // call, stream, collect or duplex
	script []string
	parent *inbound

	submitted, done, over bool // its function has returned; its end is told
	ended                 bool // for a host that tells it twice
	cancelled, expired    bool
	deadline              int64
	result                string
	callbacks             int

	// The flow to the host.
	capacity, granted, written, read int
	sent                             []item
	room                             carrier.Waiter
	refusedOut                       bool
	finishing, finishedOut           bool // Go sends no more; the host knows

	// The flow to Go.
	sends, finished, refused    bool
	wants                       bool // to be told that there is room
	inGranted, inWritten, inEnd int
	given                       []string
	reader                      carrier.Waiter
}

func (c *call) begin(credit int) {
	c.submitted = true
	if credit > 0 || c.callbacks > 0 {
		for c.capacity = 1; c.capacity < credit; c.capacity *= 2 {
		}
		if credit == 0 {
			c.capacity = 0
		}
	}
	c.granted, c.inGranted = credit, windowIn
}

// grant gives credit, within the buffer.
func (c *call) grant(n int) int {
	if room := c.read + c.capacity - c.granted; !c.breaks("cap") {
		n = min(n, room)
	}
	c.granted += n
	if n > 0 {
		c.notify(&c.room)
	}
	return n
}

func (c *call) dump() {
	if c.breaks("cancel_dumps") {
		return
	}
	c.read += len(c.sent)
	c.sent = nil
}

// dumped reports whether the host wants no more: after a deadline it does.
func (c *call) dumped() bool {
	return c.cancelled && !c.expired || c.expired && c.breaks("deadline_delivers")
}

func (c *call) tell(room int) (words []string, more bool) {
	if c.done && !c.over && c.breaks("end_is_last") {
		return append(words, c.end()), len(c.sent) > 0
	}
	for len(c.sent) > 0 && len(words) < room {
		i := c.sent[0]
		c.sent = c.sent[1:]
		c.read++
		if c.breaks("taken_is_not_granted") {
			c.grant(1)
		}
		if i.function < 0 {
			words = append(words, c.name+">"+word(i.text))
		} else {
			words = append(words, fmt.Sprintf("%s:%d:%s", c.name, i.function, word(i.text)))
		}
	}
	if len(c.sent) == 0 && c.finishing && !c.finishedOut && len(words) < room {
		c.finishedOut = true
		words = append(words, c.name+"/")
	}
	if len(c.sent) > 0 || !c.done || c.over {
		return words, len(c.sent) > 0
	}
	if len(words) == room {
		return words, true
	}
	return append(words, c.end()), false
}

func (c *call) end() string {
	c.over = !c.breaks("one_end") || c.ended
	c.ended = true
	if !c.over {
		c.list(c)
	}
	return c.name + "=" + c.result
}

// returned is by Go: the function has returned, and nothing is sent any more. It doesn't
// hold mu.
func (c *call) returned(result string) {
	c.mu.Lock()
	defer c.unlock()
	if c.over {
		return // the executor is freed
	}
	if result[0] == 'f' && c.breaks("error_delivers") {
		c.dump()
	}
	c.done, c.result, c.refused = true, result, true
	c.list(c)
}

// writable tells that there is room, or never will be.
type writable struct{ *call }

func (w writable) tell(int) (words []string, more bool) {
	if w.over {
		return nil, false
	}
	if w.refused {
		return []string{w.name + "~closed"}, false
	}
	return []string{w.name + "~"}, false
}

func (c *call) writable() {
	if c.wants || c.breaks("writable_once") {
		c.wants = false
		if !c.breaks("writable") {
			c.list(writable{c})
		}
	}
}

// ---- Go's side ----------------------------------------------------------------------

// Out implements [carrier.Call].
func (c *call) Out() carrier.Out { return c }

// Object implements [carrier.Call].
func (c *call) Object(int) *carrier.Object { return nil }

// In implements [carrier.Call].
func (c *call) In() carrier.In {
	if !c.sends {
		return nil
	}
	return c
}

// Send implements [carrier.Out].
func (c *call) Send(function int, payload []byte) error {
	c.mu.Lock()
	defer c.unlock()
	oneWay := function >= 0
	switch {
	case c.capacity == 0 && !(oneWay && c.breaks("no_credit")):
		return errors.ErrUnsupported
	case c.dumped() || c.refusedOut:
		return executor.ErrClosed
	case c.written == c.granted && !c.breaks("credit") && !(oneWay && c.breaks("one_way_costs")):
		return executor.ErrAgain
	}
	if len(payload) == 0 && c.breaks("empty") {
		return nil
	}
	c.written++
	i := item{function, string(payload)}
	if oneWay && c.breaks("one_way_in_order") {
		c.sent = append([]item{i}, c.sent...)
	} else {
		c.sent = append(c.sent, i)
	}
	c.list(c)
	return nil
}

// AwaitRoom implements [carrier.Out].
func (c *call) AwaitRoom(_ int, w carrier.Waiter) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.written < c.granted || c.dumped() || c.refusedOut {
		return false
	}
	c.room = w
	return true
}

// Receive implements [carrier.In].
func (c *call) Receive() ([]byte, error) {
	c.mu.Lock()
	defer c.unlock()
	if len(c.given) == 0 || c.finished && c.breaks("finish_delivers") {
		if c.finished {
			return nil, io.EOF
		}
		return nil, executor.ErrAgain
	}
	text := c.given[0]
	c.given = c.given[1:]
	c.inEnd++
	if c.inGranted-c.inEnd <= windowIn/2 {
		c.inGranted = c.inEnd + windowIn
		c.writable()
	}
	return []byte(text), nil
}

// AwaitItem implements [carrier.In].
func (c *call) AwaitItem(w carrier.Waiter) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.given) > 0 || c.finished {
		return false
	}
	c.reader = w
	return true
}

// Refuse implements [carrier.In].
func (c *call) Refuse() {
	c.mu.Lock()
	defer c.unlock()
	c.refused = !c.breaks("refused")
	c.writable()
}
