// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/pillion-dev/pillion/executor/carrier"
	"github.com/pillion-dev/pillion/executor/imports"
)

var errGone = imports.ErrHostGone

// state is an inbound call's.
type state int

const (
	queued state = iota // its provider's window is full
	offered
	told
	answered
)

// inbound is a call of the host. It implements [carrier.Inbound].
type inbound struct {
	*host
	name     string // its request
	function int
	token    string
	lender   *call     // nil: it is a provider's
	provider *provider // or nil
	behalf   *call
	serial   int

	state    state
	asked    bool // Go has asked it to stop, and the host wasn't told yet
	stopped  bool
	payload  string
	err      error
	waiter   carrier.Waiter
	released bool
	flow     *call // for its items, or nil
}

var provided = []string{"other", "fetch", "feed", "sum"} // by vector.Host

// provider has functions of the host's. It implements [carrier.Callee].
type provider struct {
	*host
	name         string
	window, open int
	alive        bool
	queue        []*inbound
}

func (in *inbound) tell(int) (words []string, more bool) {
	switch {
	case in.state == offered && in.lender != nil:
		in.state = told
		words = append(words, fmt.Sprintf("%s?%d:%s", in.token, in.function, word(in.name)))
	case in.state == offered:
		in.state = told
		text := fmt.Sprintf("%s?%d:%s", in.token, in.function, word(in.name))
		if in.behalf != nil && !in.breaks("linked") {
			text += "@" + in.behalf.name
		}
		words = append(words, text)
	case in.state == told && in.asked:
		in.asked = false
		if in.breaks("accept") && in.lender != nil {
			in.token = in.lender.name
		}
		words = append(words, in.token+"!"+in.name)
	}
	return words, in.state == told && in.asked
}

// end gives the call its answer.
func (in *inbound) end(payload string, err error) {
	was := in.state
	in.state, in.payload, in.err = answered, payload, err
	in.notify(&in.waiter)
	if f := in.flow; f != nil { // what Go has not read stays there
		f.over, f.finished, f.refusedOut, f.finishing, f.sent = true, true, true, false, nil
		if in.breaks("answer_delivers") {
			f.given = nil
		}
		in.notify(&f.room)
		in.notify(&f.reader)
	}
	if p := in.provider; p != nil {
		if was == queued {
			p.queue = slices.DeleteFunc(p.queue, func(q *inbound) bool { return q == in })
		} else {
			p.open--
			p.admit()
		}
	}
	in.poke()
}

// stop is Go's cancel, or a close: an untold call is withdrawn.
func (in *inbound) stop() {
	switch {
	case in.breaks("answer_all_the_same") && in.state == told:
		in.end("", context.Canceled)
	case in.state < told && !in.breaks("withdrawn"):
		in.end("", context.Canceled)
	case in.state == told && !in.stopped:
		in.stopped = true
		in.asked = !in.breaks("cancel_tells")
		in.list(in)
		if f := in.flow; f != nil {
			f.refused, f.finishing, f.sent = true, in.breaks("gave_up"), nil
			f.writable()
			if f.finishing {
				in.list(f)
			}
		}
	}
}

// ---- Providers ------------------------------------------------------------------------

// admit offers what waits for the window.
func (p *provider) admit() {
	for len(p.queue) > 0 && p.open < p.window && !p.breaks("window_admits") {
		p.open++
		in := p.queue[0]
		p.queue = p.queue[1:]
		in.state = offered
		p.list(in)
	}
}

// stop ends a provider and what it was not told.
func (p *provider) stop() {
	p.alive = p.breaks("provider_ends")
	if p.breaks("provider_ends_untold") {
		return
	}
	for _, in := range p.ordered() {
		if in.provider == p && (in.state < told || p.breaks("told_stay")) {
			in.end("", imports.ErrNotProvided)
		}
	}
}

// handles reports whether a call is made by a handler of the provider's.
func (p *provider) handles(c *call) bool {
	for c != nil && c.parent != nil && c.parent.state != answered {
		if c.parent.provider == p {
			return true
		}
		if c = c.parent.behalf; c == nil {
			break
		}
	}
	return false
}

// Find implements [carrier.Host].
func (h *host) Find(_, function string, _ carrier.Call) (carrier.Callee, int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.all {
		if i := slices.Index(provided, function); p.alive && i >= 0 && (!h.closing || h.breaks("close")) {
			return p, i, nil
		}
	}
	return nil, 0, imports.ErrNotProvided
}

// LogLevel implements [carrier.Host].
func (h *host) LogLevel() int { return 0 }

// Log implements [carrier.Host].
func (h *host) Log([]byte) bool { return false }

// ---- Go's side ----------------------------------------------------------------------

func (h *host) offer(in *inbound, r carrier.Request) {
	in.host, in.name, in.function, in.serial = h, string(r.Payload), r.Function, len(h.inbound)
	if on, ok := r.OnBehalf.(*call); ok {
		in.behalf = on
	}
	h.inbound[in.name] = in
	if r.Items || r.Sends {
		in.flow = &call{host: h, name: in.name, sends: r.Items, inGranted: windowIn}
		if r.Sends {
			in.flow.capacity = windowIn
		}
	}
}

// Call implements [carrier.Callee], for what a call lends.
func (c *call) Call(r carrier.Request) (carrier.Inbound, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.Function >= c.callbacks && !c.breaks("lent") {
		return nil, imports.ErrNotProvided
	}
	if c.freed {
		return nil, errGone
	}
	in := &inbound{lender: c, token: c.name, state: offered}
	c.offer(in, r)
	c.list(in)
	return in, nil
}

// Call implements [carrier.Callee], for a provider's functions.
func (p *provider) Call(r carrier.Request) (carrier.Inbound, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	in := &inbound{provider: p, token: p.name}
	p.offer(in, r)
	if p.open < p.window || p.breaks("window") || p.handles(in.behalf) && !p.breaks("parent") {
		p.open++
		in.state = offered
		p.list(in)
	} else {
		p.queue = append(p.queue, in)
	}
	return in, nil
}

// Await implements [carrier.Inbound].
func (in *inbound) Await(w carrier.Waiter) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.waiter = w
	return in.state != answered
}

// Answer implements [carrier.Inbound].
func (in *inbound) Answer() ([]byte, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	return []byte(in.payload), in.err
}

// In implements [carrier.Inbound].
func (in *inbound) In() carrier.In {
	if in.flow == nil {
		return nil
	}
	return in.flow.In()
}

// Out implements [carrier.Inbound].
func (in *inbound) Out() carrier.Out {
	if in.flow == nil || in.flow.capacity == 0 {
		return nil
	}
	return in.flow
}

// Finish implements [carrier.Inbound].
func (in *inbound) Finish() {
	in.mu.Lock()
	defer in.unlock()
	if in.state != answered && !in.stopped {
		in.flow.finishing = true
		in.list(in.flow)
	}
}

// Cancel implements [carrier.Inbound].
func (in *inbound) Cancel() {
	in.mu.Lock()
	defer in.unlock()
	if in.state != answered {
		in.stop()
	}
}

// Release implements [carrier.Inbound].
func (in *inbound) Release() {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.state != answered || in.released {
		panic("released without an answer, or twice")
	}
	in.released = true
}
