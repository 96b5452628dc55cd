// SPDX-License-Identifier: Apache-2.0

// Package capi is Pillion's C ABI. Importing it into a main package that is built
// with -buildmode=c-shared gives a library with every function of
// include/pillion.h, and with the functions that the program's packages
// registered through executor/export. The command capi/build does that.
//
// The package only translates. The executor for C futures, the queues in both
// directions and every public function are plain C, in core/. The functions
// pillion__go_* enter Go; core reaches them through one struct of function pointers.
package capi

// #cgo CFLAGS: -std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -I${SRCDIR} -I${SRCDIR}/core -I${SRCDIR}/loops/declared -I${SRCDIR}/../include
// #cgo LDFLAGS: -pthread -ldl
// #include "wiring.h"
import "C"

import (
	"fmt"
	"unsafe"

	"github.com/pillion-dev/pillion/executor/export"
)

// unpatched names the changes to Go's runtime that this library lacks. capi/build sets
// it; after a plain go build all are lacking.
var unpatched = "all"

// pillion__go_functions runs at the library's start, and again after a shutdown. The C
// entry waits for Go's own start and package initialisation, so all functions are
// registered by then.
//
//export pillion__go_functions
func pillion__go_functions(errbuf *C.char, errcap C.size_t) (rc C.int) {
	defer contain(&rc)
	if unpatched != "" {
		warn("built without changes to Go's runtime that keep it from harming its host: " + unpatched)
	}
	if err := export.Err(); err != nil {
		return refuse(C.PILLION_EINVAL, err.Error(), errbuf, errcap)
	}
	if rc := register(); rc < 0 {
		return refuse(rc, "the functions do not fit into the table", errbuf, errcap)
	}
	return 0
}

// pillion__go_start runs after pillion__go_functions, if there are functions.
//
//export pillion__go_start
func pillion__go_start(errbuf *C.char, errcap C.size_t) (rc C.int) {
	defer contain(&rc)
	if rc, err := startDispatcher(); err != nil {
		return refuse(rc, err.Error(), errbuf, errcap)
	}
	return 0
}

// pillion__go_arrive is a thread's first entry.
//
//export pillion__go_arrive
func pillion__go_arrive() {}

//export pillion__go_stop
func pillion__go_stop() (rc C.int) {
	defer contain(&rc)
	stopDispatcher()
	return 0
}

// contain keeps a panic of ours from crossing into C. None is expected: a panic of an
// author's function becomes its task's error.
func contain(rc *C.int) {
	r := recover()
	if r == nil {
		return
	}
	warn(fmt.Sprintf("panic inside Pillion: %v", r))
	if rc != nil {
		*rc = C.PILLION_EPANIC
	}
}

func warn(text string) {
	C.pillion__warn(terminated(text))
}

// refuse gives rc, and writes the reason to errbuf and the log.
func refuse(rc C.int, text string, errbuf *C.char, errcap C.size_t) C.int {
	return C.pillion__refuse(rc, terminated(text), errbuf, errcap)
}

// terminated gives a text for a call into C that keeps nothing of it.
func terminated(text string) *C.char {
	b := append([]byte(text), 0)
	return (*C.char)(unsafe.Pointer(&b[0]))
}
