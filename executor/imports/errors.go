// SPDX-License-Identifier: Apache-2.0

package imports

import "errors"

var (
	// ErrNotProvided says that the host has no such provider, or the provider no such
	// function, or that the request has lent no such function.
	ErrNotProvided = errors.New("imports: the host provides no such function")
	// ErrHostGone says that the host's loop ended before its function had answered.
	ErrHostGone = errors.New("imports: the host is gone")
	// ErrCallOver says that a lent function was used after the call that had lent it.
	ErrCallOver = errors.New("imports: the call that lent the function is over")
	// ErrRequest says that a request couldn't be encoded.
	ErrRequest = errors.New("imports: request can't be encoded")
	// ErrResponse says that the host's answer is none of the function's type.
	ErrResponse = errors.New("imports: malformed answer")
)

// Error is a failure in a function of the host's.
type Error struct {
	Code    int32  // 0 if the host gave none
	Message string // in Python, the type of the exception stands before it
	Stack   string // the host's traceback, if it gave one
}

// Error gives the message.
func (e *Error) Error() string { return e.Message }
