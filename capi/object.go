// SPDX-License-Identifier: Apache-2.0

package capi

// #include "wiring.h"
import "C"

import (
	"runtime/cgo"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/carrier"
)

// keeper is the [carrier.Keeper]. C has a slot for each object, with its generation and its
// uses, and with the cgo.Handle by which the object is found here.
type keeper struct{}

func (keeper) Keep(object *carrier.Object, class uint32) (uint64, error) {
	var handle C.uint64_t
	key := cgo.NewHandle(object)
	if rc := C.pillion__object_new(&handle, C.uintptr_t(key), C.uint32_t(class)); rc < 0 {
		key.Delete()
		return 0, failed(rc, nil)
	}
	return uint64(handle), nil
}

func (keeper) Drop(handle uint64) { C.pillion__object_drop(C.uint64_t(handle)) }

func init() { carrier.SetKeeper(keeper{}) }

func (j *job) Object(at int) *carrier.Object   { return named(j.call, at) }
func (c caller) Object(at int) *carrier.Object { return named(c.call, at) }

// named finds an object of a call, which has pinned it, so its key is alive.
func named(call *C.struct_pillion__call, at int) *carrier.Object {
	key := C.pillion__call_object(call, C.uint32_t(at))
	if key == 0 {
		return nil
	}
	return cgo.Handle(key).Value().(*carrier.Object)
}

// bury lets go of the objects that nothing refers to any more, under the lock.
func (d *dispatcher) bury() {
	var keys [64]C.uintptr_t
	for {
		n := C.pillion__objects_take(&keys[0], C.int(len(keys)))
		if n == 0 {
			return
		}
		done := C.uint32_t(0)
		for _, key := range keys[:n] {
			object := cgo.Handle(key).Value().(*carrier.Object)
			cgo.Handle(key).Delete()
			if object.Close == nil {
				done++
			} else {
				d.toBlocking = append(d.toBlocking, closing{object})
			}
		}
		C.pillion__objects_done(done)
		d.toBlocking = submit(d.blocking, d.toBlocking)
	}
}

// closing is the job of an object's Close.
type closing struct{ *carrier.Object }

// Run implements [offload.Job].
func (c closing) Run() {
	defer C.pillion__objects_done(1)
	defer func() {
		if r := recover(); r != nil {
			warn("an object's Close has panicked: " + executor.NewPanicError(r).Error())
		}
	}()
	if err := c.Close(); err != nil {
		warn("an object's Close failed: " + err.Error())
	}
}
