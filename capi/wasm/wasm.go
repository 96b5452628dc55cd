// SPDX-License-Identifier: Apache-2.0

// Package wasm is the carrier of a WebAssembly module: it serves calls of the functions
// that the program's packages registered through executor/export, as package capi does in
// a shared library. The command capi/build imports it into the module that it builds. Every
// call is a task of the executor of foreign/js, which says how records cross.
package wasm

import (
	"context"
	"errors"
	"strings"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/carrier"
	"github.com/pillion-dev/pillion/executor/export"
	"github.com/pillion-dev/pillion/foreign/js"
)

// Records to Go.
const (
	toCall      = js.FirstToGo + iota // ID is the call's; A the function; B the credit, or -1; Time the timeout
	toCancel                          // the call ID
	toCredit                          // A more items for the call ID
	toItem                            // an item for the call ID
	toFinish                          // no more of those
	toGive                            // an item of the Ask ID
	toEnd                             // no more of those
	toProvide                         // the provider ID: its name, and those of its functions, a line each
	toWithdraw                        // the provider ID
	toAskCredit                       // A more items for the Ask ID
	toListen                          // to the log: A is the lowest level; B is 0 for an end of it
)

// Records to JavaScript.
const (
	fromFunctions = js.FirstFromGo + iota // the descriptors, a line each; A is 1 if they are mistakes
	fromEnd                               // of the call ID: A its status, B its outcome
	fromItem                              // of the call ID: A is 0, or 1 + the function of a signal
	fromGrant                             // the call ID may send A more items
	fromRefuse                            // the call ID need send no more items
	fromGrantAsk                          // the same for the Ask ID
	fromRefuseAsk                         //
	fromAskItem                           // of the Ask ID
	fromAskFinish                         // no more of those
	fromLog                               // a line of the log
)

// What an Ask asks for: a function of a provider's, or one that a call has lent.
const (
	ofProvider = js.FirstOfAsk + iota // the provider's ID is in the high bits
	ofCall                            // the call's is
	givesItems = 8                    // it gives items
	readsItems = 16                   // it reads items
	ofShift    = 5
)

// Statuses are those of include/pillion/error.h.
const (
	statusOK        = 0
	statusCancelled = -11
	statusPanic     = -12
	statusFailed    = -13
	statusNotFound  = -14
	statusTimedOut  = -16
	statusGoexit    = -19
	statusRequest   = -22
)

var functions []*export.Function

var calls = make(map[uint32]*call)

func init() {
	js.Handle(toCall, begin)
	js.Handle(toCancel, onCall(func(c *call, r js.Record) {
		c.task.Cancel()
		c.out.close()
	}))
	js.Handle(toCredit, onCall(func(c *call, r js.Record) { c.out.grant(int(r.A)) }))
	js.Handle(toItem, onCall(func(c *call, r js.Record) { c.in.push(r.Payload) }))
	js.Handle(toFinish, onCall(func(c *call, r js.Record) { c.in.finish() }))
}

// onCall is a handler of records that concern a call. Those that come after its end are
// ignored.
func onCall(f func(c *call, r js.Record)) func(js.Record) {
	return func(r js.Record) {
		if c := calls[r.ID]; c != nil {
			f(c, r)
		}
	}
}

// Start tells JavaScript the functions. The main function calls it, once all packages are
// initialised.
func Start() {
	if err := export.Err(); err != nil {
		js.Tell(js.Record{What: fromFunctions, A: 1, Payload: []byte(err.Error())})
		return
	}
	functions = export.Functions()
	var lines []string
	for _, f := range functions {
		lines = append(lines, f.Descriptor())
	}
	js.Tell(js.Record{What: fromFunctions, Payload: []byte(strings.Join(lines, "\n"))})
}

// call is one call of a function. It is its own [carrier.Call].
type call struct {
	id   uint32
	task *executor.Task[[]byte]
	out  outFlow
	in   *inFlow
}

func begin(r js.Record) {
	f := functions[r.A]
	c := &call{id: r.ID}
	var lender carrier.Call
	done := executor.OnDone[[]byte](c.end)
	options := []executor.Option{done}
	if flows := f.Flows(); flows != 0 {
		lender = c
		c.out = outFlow{id: r.ID, what: fromItem, credit: int(int32(r.B))}
		if flows&export.FlowIn != 0 {
			c.in = newInFlow(r.ID, fromGrant, fromRefuse)
		}
		options = append(options, executor.WithValues(values{context.Background(), c}))
	}
	if r.Time > 0 {
		options = append(options, executor.WithDeadline(js.Local().Now()+int64(r.Time*1e6)))
	}
	calls[r.ID] = c
	task, err := executor.Spawn(js.Local(), f.Start(r.Payload, lender), options...)
	if err != nil {
		c.end(nil, err, executor.Returned)
		return
	}
	c.task = task
}

// end is the task's end.
func (c *call) end(response []byte, err error, outcome executor.Outcome) {
	delete(calls, c.id)
	status := int32(statusOK)
	switch {
	case outcome != executor.Returned && errors.Is(err, context.DeadlineExceeded):
		status, response = statusTimedOut, nil
	case outcome != executor.Returned:
		status, response = statusCancelled, nil
	case err != nil:
		status, response = failure(err)
	}
	js.Tell(js.Record{What: fromEnd, ID: c.id, A: uint32(status), B: uint32(outcome), Payload: response})
}

func failure(err error) (status int32, payload []byte) {
	f := carrier.Failure{Code: export.Code(err), Message: err.Error()}
	var panicked *executor.PanicError
	switch {
	case errors.As(err, &panicked):
		status, f.Stack = statusPanic, string(panicked.Stack)
	case errors.Is(err, executor.ErrGoexit):
		status = statusGoexit
	case errors.Is(err, export.ErrRequest):
		status = statusRequest
	default:
		status = statusFailed
	}
	return status, f.Bytes()
}

// values are what a function's context has of its call.
type values struct {
	context.Context
	call *call
}

func (v values) Value(key any) any {
	if key == (carrier.CallKey{}) {
		return v.call
	}
	return nil
}
