// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"context"
	"errors"
	"runtime"
	"strconv"
)

var (
	// ErrAgain says that a quota is used up; a later try may succeed.
	ErrAgain = errors.New("executor: quota used up, try again")
	// ErrClosed says that the executor takes no more work.
	ErrClosed = errors.New("executor: closed")
	// ErrReentrant says that the call isn't possible from inside a poll.
	ErrReentrant = errors.New("executor: called from inside a poll")
	// ErrBusy says that it is in use: a task awaits it already, its storage has a live
	// task, coroutines are suspended on its thread, or Locals work for it.
	ErrBusy = errors.New("executor: in use")
	// ErrWrongLocal says that a task, a watch or a worker belongs to another executor.
	ErrWrongLocal = errors.New("executor: it belongs to another executor")
	// ErrJoinItself says that a task awaited its own end.
	ErrJoinItself = errors.New("executor: a task can't join itself")
	// ErrGoexit says that the task's code called runtime.Goexit.
	ErrGoexit = errors.New("executor: runtime.Goexit was called")
	// ErrCancelled is the error of a task that was cancelled. It matches
	// context.Canceled, so that code written for a context needs no second case.
	ErrCancelled error = cancelledError{}
	// ErrTimedOut is the error of a task that was cancelled by its deadline. It matches
	// context.DeadlineExceeded and os.ErrDeadlineExceeded, and as a net.Error it is a
	// timeout.
	ErrTimedOut error = timedOutError{}
)

type (
	cancelledError struct{}
	timedOutError  struct{}
)

func (cancelledError) Error() string        { return "executor: cancelled" }
func (cancelledError) Is(target error) bool { return target == context.Canceled }

func (timedOutError) Error() string   { return "executor: timed out" }
func (timedOutError) Timeout() bool   { return true }
func (timedOutError) Temporary() bool { return true }
func (timedOutError) Is(target error) bool {
	return target == context.DeadlineExceeded || target.Error() == osTimeout
}

// osTimeout is the text of os.ErrDeadlineExceeded, which Go keeps for programs that match
// it. A module for WebAssembly without package os is a third smaller.
const osTimeout = "i/o timeout"

// PanicError is the error of a task whose code panicked.
type PanicError struct {
	Value any    // the argument of panic
	Stack []byte // the stack at that moment
}

// NewPanicError wraps the value of recover with the stack of the caller; it passes on a
// value that is wrapped already. Call it inside the deferred function, while the
// panicking frames are still there.
func NewPanicError(value any) *PanicError {
	if e, ok := value.(*PanicError); ok {
		return e
	}
	return &PanicError{Value: value, Stack: stack()}
}

// stack is debug.Stack, without what that package imports.
func stack() []byte {
	for size := 1024; ; size *= 2 {
		b := make([]byte, size)
		if n := runtime.Stack(b, false); n < size {
			return b[:n]
		}
	}
}

// Error gives the message without the stack.
func (e *PanicError) Error() string { return "panic: " + text(e.Value) }

// Unwrap gives the value, if that was an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// scopeErrors is the error of a scope in which several have failed.
type scopeErrors []error

func (e *scopeErrors) Error() string {
	return (*e)[0].Error() + " (and " + strconv.Itoa(len(*e)-1) + " more)"
}
func (e *scopeErrors) Unwrap() []error { return *e }
