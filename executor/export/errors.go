// SPDX-License-Identifier: Apache-2.0

package export

import "errors"

var (
	// ErrRequest says that the payload is no request of the function's type. A function
	// may return it, too, wrapped in what is wrong. Its callers tell it from other errors.
	ErrRequest = errors.New("export: malformed request")
	// ErrResponse says that the function's result couldn't be encoded.
	ErrResponse = errors.New("export: response can't be encoded")
	// ErrKind says that a function on the loop was called as an offloaded one.
	ErrKind = errors.New("export: function runs on the loop")
)

// Error is an error with a number for callers in other languages. The author and the
// callers agree on its meaning; 0 is no number.
type Error struct {
	Code    int32
	Message string
	cause   error
}

// Error gives the message.
func (e *Error) Error() string { return e.Message }

// Unwrap gives the error that has the code, if any.
func (e *Error) Unwrap() error { return e.cause }

// WithCode puts a code on an error, and leaves nil alone.
func WithCode(err error, code int32) error {
	if err == nil {
		return nil
	}
	return &Error{Code: code, Message: err.Error(), cause: err}
}

// Code finds the outermost code on an error, or 0.
func Code(err error) int32 {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return 0
}
