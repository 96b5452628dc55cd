// SPDX-License-Identifier: Apache-2.0

package export

import (
	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/carrier"
	"github.com/pillion-dev/pillion/executor/imports"
)

// lender is the callee of the functions that a call has lent. The exchange knows of each
// call until its release, which comes after the answer.
type lender struct{ x *exchange }

func (l lender) Call(r carrier.Request) (carrier.Inbound, error) {
	x := l.x
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.over:
		return nil, imports.ErrCallOver
	case x.call == nil:
		return nil, imports.ErrNotProvided
	}
	in, err := x.call.Call(r)
	if err != nil {
		return nil, err
	}
	c := &lentCall{in, x}
	if x.open == nil {
		x.open = make(map[*lentCall]struct{})
	}
	x.open[c] = struct{}{}
	return c, nil
}

type lentCall struct {
	carrier.Inbound
	x *exchange
}

func (c *lentCall) Release() {
	c.Inbound.Release()
	c.x.mu.Lock()
	delete(c.x.open, c)
	c.x.unlock()
}

// sending is the future of an item.
type sending struct {
	*exchange // nil: it goes nowhere
	writer
	err error // known before the first poll
}

func (s *sending) Poll(cx *executor.Context) (none struct{}, ready bool, err error) {
	if s.exchange == nil {
		return none, true, s.err
	}
	s.Task = uint64(cx.Waker())
	err = s.send(&s.writer)
	if err == executor.ErrAgain {
		return none, false, nil
	}
	if err != nil {
		s.leave(&s.writer)
	}
	s.exchange = nil
	return none, true, err
}

// Drop implements [executor.Dropper].
func (s *sending) Drop() {
	if s.exchange != nil {
		s.leave(&s.writer)
	}
}
