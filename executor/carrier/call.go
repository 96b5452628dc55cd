// SPDX-License-Identifier: Apache-2.0

package carrier

import (
	"context"
	"sync/atomic"
	"time"
)

// Call is a call of the host's, as the Go function that serves it sees it: two flows,
// the functions that the host has lent it, and the objects that it names. A carrier implements it and the types
// below.
//
// No method waits, so a loop's thread may call each of them. Any goroutine may call a
// method, but only one at a time those of one flow. Package export sees to it, and that
// no flow is used once the call's end was told. A method never calls a waiter's Func.
type Call interface {
	Callee    // the lent functions
	Out() Out // nil if the host takes nothing
	In() In   // nil if the host sends nothing
	// Object is the object whose method is called if at is 0, else the one that the request
	// names by the index at - 1. It is nil if there is none.
	Object(at int) *Object
}

// Waiter is told that it may go on: a task by its waker, or else a function. It may come
// late, and more than once. Func is called in any goroutine, and doesn't wait.
type Waiter struct {
	Task uint64
	Func func()
}

// Out is a flow to the host.
type Out interface {
	// Send sends an item, or a one-way call of a function of the host's, by its index. It keeps
	// nothing of the payload. Its errors are executor.ErrAgain if there is no room,
	// executor.ErrClosed if the host wants no more, errors.ErrUnsupported if it has asked
	// for none, and others, which concern this item only.
	Send(function int, payload []byte) error
	// AwaitRoom is for after ErrAgain. It reports whether w will be told; if not, Send again.
	AwaitRoom(length int, w Waiter) bool
}

// In is a flow from the host.
type In interface {
	// Receive gives the next item, executor.ErrAgain if there is none yet, or io.EOF if
	// none will come.
	Receive() ([]byte, error)
	// AwaitItem is for after ErrAgain. It reports whether w will be told; if not, Receive
	// again.
	AwaitItem(w Waiter) bool
	// Refuse says that Go reads no more. Receive isn't called again.
	Refuse()
}

// Callee has functions of the host's: those that a call has lent, or a provider's.
type Callee interface {
	// Call calls a function and keeps nothing of the request. Its errors are
	// executor.ErrAgain if far too many calls wait for an answer, imports.ErrHostGone,
	// imports.ErrNotProvided, and others.
	Call(r Request) (Inbound, error)
}

// Request is a call of a function of the host's.
type Request struct {
	Function int
	Payload  []byte
	Items    bool      // the function gives items before its answer
	Sends    bool      // it reads items
	Deadline time.Time // zero: none
	OnBehalf Call      // that Go works for; nil: none is known
}

// Inbound is a call of the host, which has exactly one answer.
type Inbound interface {
	// Await reports whether w will be told of the answer; if not, it is there.
	Await(w Waiter) bool
	// Answer gives the answer once it is there: a payload, an *imports.Error,
	// context.Canceled if the handler was cancelled, or imports.ErrHostGone.
	Answer() ([]byte, error)
	// In is the flow of the items that the function gives. Out is that of those which it
	// reads, until Finish says that there are no more. Both are nil if the request asked for
	// none; the answer ends them, but what was given before is there to be read.
	In() In
	Out() Out
	Finish()
	// Cancel asks the host to stop; the answer comes all the same.
	Cancel()
	// Release ends the use of the call. The answer is there by then.
	Release()
}

// Host finds the providers of the host's that calls without a lender go to, and takes
// what Go functions log.
type Host interface {
	// Find gives a provider by its name and the index of one of its functions, or
	// imports.ErrNotProvided. It prefers the provider on the loop of the call on whose
	// behalf it is asked, which may be nil.
	Find(provider, function string, onBehalf Call) (Callee, int, error)
	// LogLevel is the level, one of slog's, from which on the host listens to the log.
	LogLevel() int
	// Log takes a line of the log, keeps nothing of it, and never waits. It reports
	// whether the host listens.
	Log(line []byte) bool
}

var theHost atomic.Pointer[Host]

// SetHost makes h the host whose functions package imports calls.
func SetHost(h Host) { theHost.Store(&h) }

// CurrentHost is the latest of SetHost, or nil.
func CurrentHost() Host {
	if h := theHost.Load(); h != nil {
		return *h
	}
	return nil
}

var usesHost atomic.Bool

// UseHost says that the process calls functions of providers. A carrier then gives each
// call's context its [Call], on whose behalf they are called, and else only the contexts
// of calls that have flows or lend something.
func UseHost() { usesHost.Store(true) }

// UsesHost reports whether UseHost was called.
func UsesHost() bool { return usesHost.Load() }

// CallKey is the key under which the context of a function has its [Call].
type CallKey struct{}

// CallOf gives the call that a context belongs to, or nil. The context may be nil.
func CallOf(ctx context.Context) Call {
	if ctx == nil {
		return nil
	}
	call, _ := ctx.Value(CallKey{}).(Call)
	return call
}
