// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"sync"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/carrier"
)

// host is a model of what carries calls: of C's flows and inbound calls, and of a host's
// verbs. Its methods that begin with a small letter hold mu, unless they say otherwise.
type host struct {
	mu      sync.Mutex
	wrong   string // the rule that it breaks
	calls   map[string]*call
	inbound map[string]*inbound // by their requests
	all     []*provider
	listed  []teller // those with something to tell
	closing bool
	freed   bool
	wake    chan struct{}
	told    []carrier.Waiter // by unlock
}

// teller has events for the host. It gives some of them, and reports whether it has more.
type teller interface {
	tell(room int) (words []string, more bool)
}

func newHost(wrong string) *host {
	return &host{wrong: wrong, calls: make(map[string]*call), inbound: make(map[string]*inbound),
		wake: make(chan struct{}, 1)}
}

// breaks reports whether the host breaks this rule, on purpose.
func (h *host) breaks(rule string) bool { return h.wrong == rule }

func (h *host) list(t teller) {
	if !slices.Contains(h.listed, t) {
		h.listed = append(h.listed, t)
	}
	h.poke()
}

func (h *host) poke() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// notify tells a waiter once the lock is free.
func (h *host) notify(w *carrier.Waiter) {
	h.told = append(h.told, *w)
	*w = carrier.Waiter{}
}

// unlock tells the waiters. A method of a carrier calls no Func, so they get goroutines
// of their own.
func (h *host) unlock() {
	told := h.told
	h.told = nil
	h.mu.Unlock()
	for _, w := range told {
		if w.Task != 0 {
			executor.Waker(w.Task).Wake()
		} else if w.Func != nil {
			go w.Func()
		}
	}
}

// take takes events, as a turn does. It doesn't hold mu.
func (h *host) take(most int) (words []string) {
	h.mu.Lock()
	defer h.unlock()
	for len(h.listed) > 0 && len(words) < most {
		t := h.listed[0]
		h.listed = h.listed[1:]
		got, more := t.tell(most - len(words))
		words = append(words, got...)
		if more {
			h.listed = append(h.listed, t)
		}
	}
	return words
}

// live counts calls until their ends are taken, and inbound ones until their answers.
func (h *host) live() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.calls {
		if c.submitted && !c.over {
			n++
		}
	}
	for _, in := range h.inbound {
		if in.state != answered {
			n++
		}
	}
	return n
}

// ---- The host's verbs ---------------------------------------------------------------

func (h *host) credit(c *call, n int) string {
	switch {
	case c.over:
		return "finished"
	case c.capacity == 0:
		return "invalid"
	}
	return fmt.Sprint(c.grant(n))
}

func (h *host) send(c *call, text string) string {
	switch {
	case c.over:
		return "finished"
	case !c.sends:
		return "invalid"
	case c.refused || c.finished && !h.breaks("finished"):
		return "closed"
	case c.inWritten == c.inGranted:
		c.wants = true
		return "again"
	}
	c.inWritten++
	if text != "" || !h.breaks("empty") {
		c.given = append(c.given, text)
	}
	h.notify(&c.reader)
	return "ok"
}

func (h *host) finish(c *call) string {
	switch {
	case c.over:
		return "finished"
	case !c.sends:
		return "invalid"
	case c.inWritten == c.inGranted && h.breaks("finish_costs_nothing"):
		return "again"
	}
	c.finished = true
	h.notify(&c.reader)
	return "ok"
}

// cancel ends the wait for credit. Then stop tells the task or the goroutine.
func (h *host) cancel(c *call) (result string, stop bool) {
	switch {
	case c.over || c.done:
		return "finished", false
	case c.cancelled || c.expired:
		c.refusedOut = true
		h.notify(&c.room)
		return "already", true
	}
	c.cancelled = true
	c.dump()
	h.notify(&c.room)
	return "asked", true
}

func (h *host) answer(in *inbound, payload string, err error) string {
	if in.state != told && !(in.state == answered && h.breaks("answers_once")) {
		return "finished"
	}
	in.end(payload, err)
	return "ok"
}

func (h *host) accept(in *inbound, credit int) string {
	if in.state != told {
		return "finished"
	}
	in.token = in.name
	if in.flow != nil {
		in.flow.grant(credit)
	}
	return "ok"
}

func (h *host) provide(name string, window int) string {
	if h.closing {
		return "closed"
	}
	for _, p := range h.all {
		if p.alive && !h.breaks("one_of_a_name") {
			return "busy"
		}
	}
	h.all = append(h.all, &provider{host: h, name: name, window: window, alive: true})
	return "ok"
}

func (h *host) provider(name string) *provider {
	for _, p := range h.all {
		if p.name == name {
			return p
		}
	}
	return nil
}

func (h *host) withdraw(p *provider) string {
	if !p.alive {
		return "finished"
	}
	p.stop()
	return "ok"
}

// close stops calls, too, if it cancels. Then the caller stops what runs.
func (h *host) close(cancels bool) {
	h.closing = true
	if !cancels {
		return
	}
	for _, in := range h.ordered() {
		in.stop()
	}
}

// free ends everything that waits for the host.
func (h *host) free() {
	h.freed = true
	for _, p := range h.all {
		p.alive = false
	}
	for _, in := range h.ordered() {
		if in.state != answered && !h.breaks("freed") {
			in.end("", errGone)
		}
	}
	for _, c := range h.calls {
		c.cancelled = true
		c.dump()
		h.notify(&c.room)
		c.over = true
	}
	h.listed = nil
}

// ordered gives the inbound calls in the order of their offers.
func (h *host) ordered() []*inbound {
	var all []*inbound
	for _, in := range h.inbound {
		all = append(all, in)
	}
	slices.SortFunc(all, func(a, b *inbound) int { return a.serial - b.serial })
	return all
}
