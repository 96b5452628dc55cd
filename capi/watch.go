// SPDX-License-Identifier: Apache-2.0

package capi

// #include "wiring.h"
import "C"

import (
	"fmt"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/watch"
)

// The host of C's executor watches the descriptors that Go tasks await. It reports them
// to C, and they come back as the events of a delivered cell.
var _ watch.Host = host(0)

func (h host) Watch(fd int, events watch.Events, key uint64) error {
	rc := C.pillion__guest_watch(C.uint32_t(h), C.int(fd), C.uint32_t(events), C.uint64_t(key))
	switch rc {
	case C.PILLION_OK:
		return nil
	case C.PILLION_ENOTSUP:
		return watch.ErrUnwatchable
	case C.PILLION_EBUSY:
		return executor.ErrBusy
	case C.PILLION_EAGAIN:
		return executor.ErrAgain
	}
	return fmt.Errorf("the host can't watch descriptor %d: %s", fd, C.GoString(C.pillion_strerror(rc)))
}

func (h host) Unwatch(fd int, key uint64) {
	C.pillion__guest_unwatch(C.uint32_t(h), C.int(fd), C.uint64_t(key))
}

// pillion__go_rewatch runs on the owner's thread when C's executor has a new host,
// which knows no descriptor.
//
//export pillion__go_rewatch
func pillion__go_rewatch(index C.uint32_t) {
	defer contain(nil)
	if l := loops[index].Load(); l != nil {
		l.local.Carrier().Rewatch()
	}
}
