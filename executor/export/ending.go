// SPDX-License-Identifier: Apache-2.0

package export

import (
	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/carrier"
	"github.com/pillion-dev/pillion/executor/future"
)

// ending is the future of a call that has an exchange.
type ending struct {
	body executor.Future[[]byte]
	*exchange
	gives    bool
	returned bool
	response []byte
	err      error
}

func (e *ending) Poll(cx *executor.Context) (response []byte, ready bool, err error) {
	if !e.returned {
		e.response, e.returned, e.err = e.body.Poll(cx)
	}
	if !e.returned || !e.end(carrier.Waiter{Task: uint64(cx.Waker())}) {
		return nil, false, nil
	}
	response, e.response = e.response, nil
	return response, true, e.err
}

// forget is for a call that is cancelled after its function has returned.
func (e *ending) forget() {
	if e.gives {
		discard(e.response)
	}
	e.response = nil
}

func (e *ending) Unwind(cx *executor.Context) (done bool, err error) {
	e.forget()
	if !e.returned {
		e.returned = true
		if u, ok := e.body.(executor.Unwinder); ok {
			e.returned, e.err = u.Unwind(cx)
		}
	}
	return e.returned && e.end(carrier.Waiter{Task: uint64(cx.Waker())}), e.err
}

func (e *ending) Drop() {
	e.forget()
	future.Drop(e.body)
	if e.end(carrier.Waiter{}) {
		return
	}
	e.mu.Lock() // the executor ends the call without waiting
	defer e.mu.Unlock()
	e.queue, e.latest, e.out = nil, nil, nil
}
