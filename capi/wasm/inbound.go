// SPDX-License-Identifier: Apache-2.0

package wasm

import (
	"bytes"
	"context"
	"math"
	"strings"
	"time"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/carrier"
	"github.com/pillion-dev/pillion/executor/imports"
	"github.com/pillion-dev/pillion/foreign/js"
)

// inbound is a call of a function of JavaScript's. It implements [carrier.Inbound].
type inbound struct {
	*js.Ask
	in  *inFlow
	out outFlow
}

// flowing are those that give or read items, by their Ask.
var flowing = make(map[uint32]*inbound)

func offer(of, id uint32, r carrier.Request) carrier.Inbound {
	in := new(inbound)
	milliseconds := 0.0
	if !r.Deadline.IsZero() {
		milliseconds = max(float64(time.Until(r.Deadline))/1e6, 1e-6)
	}
	if r.Items {
		of |= givesItems
	}
	if r.Sends {
		of |= readsItems
	}
	in.Ask = js.NewAsk(of|id<<ofShift, uint32(r.Function), milliseconds, r.Payload)
	if r.Items || r.Sends {
		in.in = newInFlow(in.ID, fromGrantAsk, fromRefuseAsk)
		in.out = outFlow{id: in.ID, what: fromAskItem, credit: window}
		flowing[in.ID] = in
	}
	return in
}

func (in *inbound) In() carrier.In { return in.in }

func (in *inbound) Out() carrier.Out { return (*reading)(in) }

func (in *inbound) Finish() {
	if in.Await(carrier.Waiter{}) {
		js.Tell(js.Record{What: fromAskFinish, ID: in.ID})
	}
}

// reading is an outFlow that the answer ends.
type reading inbound

func (r *reading) Send(function int, payload []byte) error {
	if !r.Await(carrier.Waiter{}) {
		return executor.ErrClosed
	}
	return r.out.Send(function, payload)
}

func (r *reading) AwaitRoom(length int, w carrier.Waiter) bool {
	return r.out.AwaitRoom(length, w) && r.Await(w)
}

func (in *inbound) Answer() ([]byte, error) {
	payload, status := in.Ask.Answer()
	switch status {
	case statusOK:
		return payload, nil
	case statusCancelled, statusTimedOut:
		return nil, context.Canceled
	case statusNotFound:
		return nil, imports.ErrNotProvided
	case statusFailed:
		failure := imports.Error(carrier.ParseFailure(payload))
		return nil, &failure
	}
	return nil, imports.ErrHostGone
}

func (in *inbound) Release() {
	delete(flowing, in.ID)
	in.Ask.Release()
}

// Call calls a function that the call has lent.
func (c *call) Call(r carrier.Request) (carrier.Inbound, error) {
	return offer(ofCall, c.id, r), nil
}

// provider is a [carrier.Callee].
type provider struct {
	id        uint32
	functions []string
}

func (p *provider) Call(r carrier.Request) (carrier.Inbound, error) {
	return offer(ofProvider, p.id, r), nil
}

// host is the [carrier.Host]. Of the providers of one name the eldest comes first.
type host struct {
	providers map[string][]*provider
	level     int
}

// unheard is a level above all others.
const unheard = math.MaxInt

func (h *host) LogLevel() int { return h.level }

func (h *host) Log(line []byte) bool {
	if h.level == unheard {
		return false
	}
	js.Tell(js.Record{What: fromLog, Payload: bytes.Clone(line)})
	return true
}

func (h *host) Find(name, function string, _ carrier.Call) (carrier.Callee, int, error) {
	for _, p := range h.providers[name] {
		for i, f := range p.functions {
			if f == function {
				return p, i, nil
			}
		}
	}
	return nil, 0, imports.ErrNotProvided
}

func init() {
	all := make(map[string][]*provider)
	h := &host{all, unheard}
	carrier.SetHost(h)
	js.Handle(toListen, func(r js.Record) {
		h.level = int(int32(r.A))
		if r.B == 0 {
			h.level = unheard
		}
	})
	js.Handle(toProvide, func(r js.Record) {
		lines := strings.Split(string(r.Payload), "\n")
		all[lines[0]] = append(all[lines[0]], &provider{r.ID, lines[1:]})
	})
	js.Handle(toWithdraw, func(r js.Record) {
		for name, list := range all {
			for i, p := range list {
				if p.id == r.ID {
					all[name] = append(list[:i:i], list[i+1:]...)
				}
			}
		}
	})
	onFlow := func(what uint32, f func(in *inbound, r js.Record)) {
		js.Handle(what, func(r js.Record) {
			if in := flowing[r.ID]; in != nil {
				f(in, r)
			}
		})
	}
	onFlow(toGive, func(in *inbound, r js.Record) { in.in.push(r.Payload) })
	onFlow(toEnd, func(in *inbound, r js.Record) { in.in.finish() })
	onFlow(toAskCredit, func(in *inbound, r js.Record) { in.out.grant(int(r.A)) })
}
