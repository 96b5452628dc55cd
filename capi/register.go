// SPDX-License-Identifier: Apache-2.0

package capi

// #include <stdlib.h>
// #include "wiring.h"
import "C"

import (
	"unsafe"

	"github.com/pillion-dev/pillion/executor/export"
)

// functions are in the order of C's table. They are written once, before the first
// call, and only read afterwards.
var functions []*export.Function

var added int // functions in C's table, also after a start that failed

var kinds = map[export.Kind]C.uint32_t{
	export.KindOffload: C.PILLION_KIND_OFFLOAD,
	export.KindCPU:     C.PILLION_KIND_CPU,
	export.KindLoop:    C.PILLION_KIND_LOOP,
	export.KindAsync:   C.PILLION_KIND_ASYNC,
}

// register fills C's table, which is sorted by name.
func register() C.int {
	if functions != nil {
		return 0
	}
	all := export.Functions()
	for _, f := range all[added:] {
		if rc := addFunction(f); rc < 0 {
			return rc
		}
		added++
	}
	functions = all
	return 0
}

func addFunction(f *export.Function) C.int {
	name, module, descriptor := C.CString(f.Module+"."+f.Name), C.CString(f.Module), C.CString(f.Descriptor())
	defer C.free(unsafe.Pointer(name))
	defer C.free(unsafe.Pointer(module))
	defer C.free(unsafe.Pointer(descriptor))
	return C.pillion__function_add(name, module, descriptor, kinds[f.Kind], C.uint32_t(f.Flows()), C.uint32_t(f.Class()))
}
