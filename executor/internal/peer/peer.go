// SPDX-License-Identifier: Apache-2.0

// Package peer is a carrier whose host is a test of this process.
package peer

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/carrier"
	"github.com/pillion-dev/pillion/executor/imports"
)

// Item is what a call has sent: of no function if Function is -1.
type Item struct {
	Function int
	Payload  string
}

// Call is a call of the host's. The exported methods that aren't those of a
// [carrier.Call] are the host's.
type Call struct {
	Callee
	sent         []Item
	credit       int
	flowing      bool // credit was given
	cancelled    bool
	room, reader waiter
	given        []string
	sending      bool
	finished     bool
	refused      bool
	ended        bool
	news         *sync.Cond
	Faults       []string // uses after the end
	Objects      []*carrier.Object
}

// waiter is told once.
type waiter struct{ carrier.Waiter }

func (w *waiter) take(told *[]carrier.Waiter) {
	*told = append(*told, w.Waiter)
	w.Waiter = carrier.Waiter{}
}

// NewCall makes a call with so much credit, which sends items if sending.
func NewCall(credit int, sending bool) *Call {
	c := &Call{credit: credit, flowing: credit > 0, sending: sending}
	c.Calls = make(chan *Inbound, 1000)
	c.news = sync.NewCond(&c.mu)
	return c
}

// do changes the call and then tells the waiters.
func (c *Call) do(f func(told *[]carrier.Waiter)) {
	var told []carrier.Waiter
	c.mu.Lock()
	f(&told)
	c.news.Broadcast()
	c.mu.Unlock()
	tell(told)
}

func tell(told []carrier.Waiter) {
	for _, w := range told {
		if w.Task != 0 {
			executor.Waker(w.Task).Wake()
		} else if w.Func != nil {
			w.Func()
		}
	}
}

// Grant gives more credit.
func (c *Call) Grant(n int) {
	c.do(func(told *[]carrier.Waiter) { c.credit += n; c.room.take(told) })
}

// Give sends an item to Go.
func (c *Call) Give(items ...string) {
	c.do(func(told *[]carrier.Waiter) { c.given = append(c.given, items...); c.reader.take(told) })
}

// Finish gives no more items.
func (c *Call) Finish() {
	c.do(func(told *[]carrier.Waiter) { c.finished = true; c.reader.take(told) })
}

// Cancel throws away what was sent and takes nothing more. The context is the test's.
func (c *Call) Cancel() {
	c.do(func(told *[]carrier.Waiter) { c.cancelled = true; c.sent = nil; c.room.take(told) })
}

// End is the end of the call, which is told once.
func (c *Call) End() {
	c.do(func(*[]carrier.Waiter) {
		if c.ended {
			c.Faults = append(c.Faults, "a second end")
		}
		c.ended = true
	})
}

// Take waits for an item. It reports whether there is one; not after the end.
func (c *Call) Take() (item Item, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.sent) == 0 {
		if c.ended {
			return item, false
		}
		c.news.Wait()
	}
	item, c.sent = c.sent[0], c.sent[1:]
	return item, true
}

// Ended reports whether its end was told.
func (c *Call) Ended() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}

// Refused reports whether Go reads no more.
func (c *Call) Refused() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refused
}

// Waits waits until Go waits for room.
func (c *Call) Waits() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.room.Task == 0 && c.room.Func == nil {
		c.news.Wait()
	}
}

// Reads waits until Go waits for an item.
func (c *Call) Reads() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.reader.Task == 0 && c.reader.Func == nil {
		c.news.Wait()
	}
}

// use is by Go.
func (c *Call) use(what string) (unlock func()) {
	c.mu.Lock()
	if c.ended {
		c.Faults = append(c.Faults, what+" after the end")
	}
	return func() { c.news.Broadcast(); c.mu.Unlock() }
}

// Out implements [carrier.Call].
func (c *Call) Out() carrier.Out { return c }

// Object implements [carrier.Call].
func (c *Call) Object(at int) *carrier.Object {
	defer c.use("object")()
	if at < len(c.Objects) {
		return c.Objects[at]
	}
	return nil
}

// In implements [carrier.Call].
func (c *Call) In() carrier.In {
	if !c.sending {
		return nil
	}
	return c
}

// Send implements [carrier.Out].
func (c *Call) Send(function int, payload []byte) error {
	defer c.use("send")()
	switch {
	case !c.flowing:
		return errors.ErrUnsupported
	case c.cancelled:
		return executor.ErrClosed
	case c.credit == 0:
		return executor.ErrAgain
	}
	c.credit--
	c.sent = append(c.sent, Item{function, string(payload)})
	return nil
}

// AwaitRoom implements [carrier.Out].
func (c *Call) AwaitRoom(_ int, w carrier.Waiter) bool {
	defer c.use("wait for room")()
	if c.credit > 0 || c.cancelled {
		return false
	}
	c.room.Waiter = w
	return true
}

// Receive implements [carrier.In].
func (c *Call) Receive() ([]byte, error) {
	defer c.use("receive")()
	switch {
	case c.refused:
		c.Faults = append(c.Faults, "receive after refusal")
	case len(c.given) > 0:
		item := c.given[0]
		c.given = c.given[1:]
		return []byte(item), nil
	case !c.finished:
		return nil, executor.ErrAgain
	}
	return nil, io.EOF
}

// AwaitItem implements [carrier.In].
func (c *Call) AwaitItem(w carrier.Waiter) bool {
	defer c.use("wait for an item")()
	if len(c.given) > 0 || c.finished {
		return false
	}
	c.reader.Waiter = w
	return true
}

// Refuse implements [carrier.In].
func (c *Call) Refuse() {
	defer c.use("refuse")()
	c.refused = true
}

// Callee is what a call has lent, or a provider. Calls has those of Go's calls that it was
// told.
type Callee struct {
	mu    sync.Mutex
	open  int
	Calls chan *Inbound
}

// Call implements [carrier.Callee].
func (c *Callee) Call(r carrier.Request) (carrier.Inbound, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open++
	in := &Inbound{Function: r.Function, Payload: string(r.Payload), Request: r, callee: c,
		Cancelled: make(chan struct{})}
	if r.Items {
		in.Items = NewCall(0, true)
	}
	if r.Sends {
		in.Sent = NewCall(1, false)
	}
	c.Calls <- in
	return in, nil
}

// Open counts the calls that have no answer.
func (c *Callee) Open() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open
}

// Inbound is a call of Go's. The host answers it once.
type Inbound struct {
	Function  int
	Payload   string
	Request   carrier.Request
	Cancelled chan struct{} // closed when Go asks it to stop
	Items     *Call         // to give items by
	Sent      *Call         // what Go sends; it ends when that is finished
	Released  bool

	callee   *Callee
	w        carrier.Waiter
	asked    bool
	answered bool
	payload  []byte
	err      error
}

// Reply answers the call.
func (in *Inbound) Reply(payload string, err error) {
	in.callee.mu.Lock()
	if in.answered {
		panic("a second answer")
	}
	in.answered, in.payload, in.err = true, []byte(payload), err
	w := in.w
	in.callee.open--
	in.callee.mu.Unlock()
	tell([]carrier.Waiter{w})
}

// Stopped answers that the handler was cancelled.
func (in *Inbound) Stopped() { in.Reply("", context.Canceled) }

// Await implements [carrier.Inbound].
func (in *Inbound) Await(w carrier.Waiter) bool {
	in.callee.mu.Lock()
	defer in.callee.mu.Unlock()
	in.w = w
	return !in.answered
}

// Answer implements [carrier.Inbound].
func (in *Inbound) Answer() ([]byte, error) { return in.payload, in.err }

// In implements [carrier.Inbound].
func (in *Inbound) In() carrier.In { return in.Items.In() }

// Out implements [carrier.Inbound].
func (in *Inbound) Out() carrier.Out { return in.Sent.Out() }

// Finish implements [carrier.Inbound].
func (in *Inbound) Finish() { in.Sent.End() }

// Cancel implements [carrier.Inbound].
func (in *Inbound) Cancel() {
	in.callee.mu.Lock()
	defer in.callee.mu.Unlock()
	if !in.asked && !in.answered {
		in.asked = true
		close(in.Cancelled)
	}
}

// Release implements [carrier.Inbound].
func (in *Inbound) Release() {
	in.callee.mu.Lock()
	defer in.callee.mu.Unlock()
	if !in.answered || in.Released {
		panic("released without an answer, or twice")
	}
	in.Released = true
}

// Host provides functions by their names, "provider.function".
type Host struct {
	Callee
	Functions map[string]int
	OnBehalf  carrier.Call // of the latest look-up

	Level int         // from which on it listens
	Lines chan string // nil: it doesn't listen
}

// LogLevel implements [carrier.Host].
func (h *Host) LogLevel() int { return h.Level }

// Log implements [carrier.Host].
func (h *Host) Log(line []byte) bool {
	if h.Lines == nil {
		return false
	}
	h.Lines <- string(line)
	return true
}

// Find implements [carrier.Host].
func (h *Host) Find(provider, function string, onBehalf carrier.Call) (carrier.Callee, int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.OnBehalf = onBehalf
	if i, ok := h.Functions[provider+"."+function]; ok {
		return &h.Callee, i, nil
	}
	return nil, 0, imports.ErrNotProvided
}
