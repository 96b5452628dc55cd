// SPDX-License-Identifier: Apache-2.0

// Bridge is what one writes by hand to await Go from another language: a shared
// library whose call starts a goroutine, which calls back when it has a result.
package main

/*
#include <stdint.h>
#include <stddef.h>

typedef void (*bridge_done)(uint64_t id, const void *data, size_t length);

static inline void bridge_answer(bridge_done done, uint64_t id,
                                 const void *data, size_t length) {
  done(id, data, length);
}
*/
import "C"

import (
	"runtime"
	"time"
	"unsafe"
)

// bridge_nothing is the cheapest way into Go and back.
//
//export bridge_nothing
func bridge_nothing() {}

// bridge_call echoes a request. It calls done on a thread of Go's; data is valid
// during that call.
//
//export bridge_call
func bridge_call(id C.uint64_t, data unsafe.Pointer, length C.size_t, done C.bridge_done) {
	request := C.GoBytes(data, C.int(length))
	go func() {
		C.bridge_answer(done, id, unsafe.Pointer(unsafe.SliceData(request)), C.size_t(len(request)))
	}()
}

var sink []byte

// bridge_load keeps Go computing in two goroutines and allocating in one, for the
// given time.
//
//export bridge_load
func bridge_load(ms C.int) {
	end := time.Now().Add(time.Duration(ms) * time.Millisecond)
	for range 2 {
		go func() {
			for time.Now().Before(end) {
				for i := range 1000 {
					runtime.KeepAlive(i)
				}
			}
		}()
	}
	go func() {
		for time.Now().Before(end) {
			sink = make([]byte, 64<<10)
		}
	}()
}

func main() {}
