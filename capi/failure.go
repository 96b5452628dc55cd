// SPDX-License-Identifier: Apache-2.0

package capi

// #include "wiring.h"
import "C"

import (
	"errors"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/carrier"
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

// failure encodes an error as pillion_failure_parse reads it.
func failure(err error) []byte {
	f := carrier.Failure{Code: export.Code(err), Message: err.Error()}
	var panicked *executor.PanicError
	if errors.As(err, &panicked) {
		f.Stack = string(panicked.Stack)
	}
	return f.Bytes()
}
