// SPDX-License-Identifier: Apache-2.0

package export

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/carrier"
	"github.com/pillion-dev/pillion/executor/imports"
	"github.com/pillion-dev/pillion/executor/internal/inbound"
)

// exchange is what a call carries beside its request and its response. Its methods don't
// wait, but for those that take a context.
//
// Writers for whom there is no room queue up, and only the first waits at the carrier.
// The call's end waits until the host has answered every call of a function that it lent,
// and until the last value of every [Signal.Latest] is on its way.
type exchange struct {
	call carrier.Call // nil: the caller lends and takes nothing
	out  carrier.Out
	in   carrier.In

	mu     sync.Mutex
	over   bool // the function has returned
	ended  carrier.Waiter
	queue  []*writer
	latest map[int]*writer // by function; all are in the queue
	open   map[*lentCall]struct{}
}

// writer waits for room.
type writer struct {
	carrier.Waiter
	note     bool // its item goes as soon as there is room, without a waiter
	function int
	payload  []byte
}

var errNoFlow = fmt.Errorf("export: the caller takes no items: %w", errors.ErrUnsupported)

func newExchange(call carrier.Call) *exchange {
	x := &exchange{call: call}
	if call != nil {
		x.out, x.in = call.Out(), call.In()
	}
	return x
}

func wake(w carrier.Waiter) {
	switch {
	case w.Task != 0:
		executor.Waker(w.Task).Wake()
	case w.Func != nil:
		w.Func()
	}
}

// send sends w's item. After executor.ErrAgain w is told when it has its turn and there
// may be room.
func (x *exchange) send(w *writer) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.over {
		return imports.ErrCallOver
	}
	first := len(x.queue) == 0 || x.queue[0] == w
	if first {
		if err := x.try(w); err != executor.ErrAgain {
			x.remove(w)
			return err
		}
	}
	if !slices.Contains(x.queue, w) {
		x.queue = append(x.queue, w)
	}
	return executor.ErrAgain
}

// try sends the item of the first in the queue.
func (x *exchange) try(w *writer) error {
	if x.out == nil {
		return errNoFlow
	}
	for {
		err := x.out.Send(w.function, w.payload)
		if err != executor.ErrAgain || x.out.AwaitRoom(len(w.payload), w.Waiter) {
			return err
		}
	}
}

// leave is for a writer that gives up.
func (x *exchange) leave(w *writer) {
	if w.function == carrier.ItemObject {
		discard(w.payload)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.remove(w)
}

func (x *exchange) remove(w *writer) {
	if i := slices.Index(x.queue, w); i >= 0 {
		x.queue = slices.Delete(x.queue, i, i+1)
		if i == 0 {
			x.advance()
		}
	}
}

// advance lets the first in the queue go on.
func (x *exchange) advance() {
	for len(x.queue) > 0 {
		w := x.queue[0]
		if !w.note {
			wake(w.Waiter)
			return
		}
		if x.try(w) == executor.ErrAgain {
			return
		}
		x.queue = x.queue[1:]
		delete(x.latest, w.function)
	}
}

// note sends a value now, or later the newest one of the function.
func (x *exchange) note(function int, payload []byte) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.over {
		return imports.ErrCallOver
	}
	if w := x.latest[function]; w != nil {
		w.payload = payload
		return nil
	}
	w := &writer{note: true, function: function, payload: payload}
	w.Func = func() {
		x.mu.Lock()
		x.advance()
		x.unlock()
	}
	if len(x.queue) == 0 {
		if err := x.try(w); err != executor.ErrAgain {
			return err
		}
	}
	if x.latest == nil {
		x.latest = make(map[int]*writer)
	}
	x.latest[function] = w
	x.queue = append(x.queue, w)
	return nil
}

// put sends w's item and waits for room. s is the waiter of w.
func (x *exchange) put(ctx context.Context, s *inbound.Sleeper, w *writer) error {
	err := ctx.Err()
	for err == nil {
		if err = x.send(w); err == executor.ErrAgain {
			if err = s.Sleep(ctx); err == nil {
				err = ctx.Err() // a cancel also wakes it
			}
		} else {
			break
		}
	}
	if err != nil {
		x.leave(w)
	}
	return err
}

// get waits for an item. Its error is io.EOF if none will come.
func (x *exchange) get(ctx context.Context, s *inbound.Sleeper) ([]byte, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		item, err := x.receive(s.Waiter)
		if err != executor.ErrAgain {
			return item, err
		}
		if err := s.Sleep(ctx); err != nil {
			return nil, err
		}
	}
}

func (x *exchange) receive(w carrier.Waiter) ([]byte, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.over {
		return nil, imports.ErrCallOver
	}
	for x.in != nil {
		item, err := x.in.Receive()
		if err != executor.ErrAgain || x.in.AwaitItem(w) {
			return item, err
		}
	}
	return nil, io.EOF
}

// refuse reads no more.
func (x *exchange) refuse() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.shut()
}

func (x *exchange) shut() {
	if x.in != nil {
		x.in.Refuse()
		x.in = nil
	}
}

// end says that the function has returned. It reports whether the call may end; if not,
// w is told when it may.
func (x *exchange) end(w carrier.Waiter) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.over {
		x.over = true
		x.shut()
		for c := range x.open {
			c.Cancel()
		}
		x.queue = slices.DeleteFunc(x.queue, func(w *writer) bool {
			if !w.note {
				wake(w.Waiter)
			}
			return !w.note
		})
		x.advance()
	}
	if x.busy() {
		x.ended = w
		return false
	}
	return true
}

func (x *exchange) busy() bool { return len(x.open) > 0 || len(x.latest) > 0 }

// unlock also tells of the end.
func (x *exchange) unlock() {
	var w carrier.Waiter
	if x.over && !x.busy() {
		w, x.ended = x.ended, w
	}
	x.mu.Unlock()
	wake(w)
}

// finish has done called at the call's end. x may be nil.
func (x *exchange) finish(response []byte, err error, done func([]byte, error)) {
	if x == nil || x.end(carrier.Waiter{Func: func() { done(response, err) }}) {
		done(response, err)
	}
}
