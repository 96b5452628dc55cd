// SPDX-License-Identifier: Apache-2.0

package capi

// #include "wiring.h"
import "C"

import (
	"encoding/binary"
	"errors"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/export"
)

func failureStatus(err error) C.int32_t {
	var panicked *executor.PanicError
	switch {
	case errors.As(err, &panicked):
		return C.PILLION_EPANIC
	case errors.Is(err, executor.ErrGoexit):
		return C.PILLION_EGOEXIT
	case errors.Is(err, export.ErrRequest):
		return C.PILLION_EREQUEST
	default:
		return C.PILLION_EFAILED
	}
}

// failure encodes an error as pillion_failure_parse reads it: code, message,
// stack, each text with its length before it.
func failure(err error) []byte {
	var panicked *executor.PanicError
	var stack []byte
	if errors.As(err, &panicked) {
		stack = panicked.Stack
	}
	message := err.Error()
	b := make([]byte, 0, 12+len(message)+len(stack))
	b = binary.NativeEndian.AppendUint32(b, uint32(export.Code(err)))
	b = binary.NativeEndian.AppendUint32(b, uint32(len(message)))
	b = append(b, message...)
	b = binary.NativeEndian.AppendUint32(b, uint32(len(stack)))
	return append(b, stack...)
}
