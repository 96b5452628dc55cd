// SPDX-License-Identifier: Apache-2.0

package wasm

import (
	"bytes"
	"errors"
	"io"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/carrier"
	"github.com/pillion-dev/pillion/foreign/js"
)

// outFlow is a [carrier.Out], of a call or of an Ask.
type outFlow struct {
	id, what uint32 // the records that tell JavaScript of an item
	credit   int
	closed   bool // the call was cancelled, so JavaScript grants no more
	waiter   carrier.Waiter
}

func (c *call) Out() carrier.Out { return &c.out }

func (f *outFlow) Send(function int, payload []byte) error {
	switch {
	case f.credit < 0:
		return errors.ErrUnsupported
	case f.closed:
		return executor.ErrClosed
	case f.credit == 0:
		return executor.ErrAgain
	}
	f.credit--
	js.Tell(js.Record{What: f.what, ID: f.id, A: uint32(function + 1), Payload: bytes.Clone(payload)})
	return nil
}

func (f *outFlow) AwaitRoom(_ int, w carrier.Waiter) bool {
	f.waiter = w
	return f.credit == 0 && !f.closed
}

func (f *outFlow) grant(n int) {
	f.credit += n
	js.Wake(f.waiter)
}

func (f *outFlow) close() {
	f.closed = true
	js.Wake(f.waiter)
}

// window is how many items JavaScript may send ahead of those that Go has received.
const window = 32

// inFlow is a [carrier.In], of a call or of an Ask.
type inFlow struct {
	id             uint32
	grants, refuse uint32 // the records that tell JavaScript
	items          [][]byte
	received       int // since the latest grant
	finished       bool
	waiter         carrier.Waiter
}

func newInFlow(id, grants, refuse uint32) *inFlow {
	return &inFlow{id: id, grants: grants, refuse: refuse}
}

// Object is nil: JavaScript has no objects of Go's.
func (*call) Object(int) *carrier.Object { return nil }

func (c *call) In() carrier.In {
	if c.in == nil {
		return nil
	}
	return c.in
}

func (f *inFlow) push(item []byte) {
	if f == nil || f.finished {
		return
	}
	f.items = append(f.items, item)
	js.Wake(f.waiter)
}

func (f *inFlow) finish() {
	if f != nil {
		f.finished = true
		js.Wake(f.waiter)
	}
}

func (f *inFlow) Receive() ([]byte, error) {
	if len(f.items) == 0 {
		if f.finished {
			return nil, io.EOF
		}
		return nil, executor.ErrAgain
	}
	item := f.items[0]
	f.items[0] = nil
	f.items = f.items[1:]
	if f.received++; f.received == window/2 && !f.finished {
		js.Tell(js.Record{What: f.grants, ID: f.id, A: window / 2})
		f.received = 0
	}
	return item, nil
}

func (f *inFlow) AwaitItem(w carrier.Waiter) bool {
	f.waiter = w
	return len(f.items) == 0 && !f.finished
}

func (f *inFlow) Refuse() {
	if !f.finished {
		js.Tell(js.Record{What: f.refuse, ID: f.id})
	}
	f.finished, f.items = true, nil
}
