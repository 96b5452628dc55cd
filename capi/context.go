// SPDX-License-Identifier: Apache-2.0

package capi

// #include "wiring.h"
import "C"

import "github.com/pillion-dev/pillion/executor"

// hooks is the embedder's context hooks around the Go tasks of one executor of C's,
// by its index. A token is 64 bits of the hooks' own, which need not be an address.
type hooks C.uint32_t

// hooksOf gives nil for an executor without hooks, whose tasks then pay nothing.
func hooksOf(index C.uint32_t) executor.ContextHooks {
	if C.pillion__guest_hooked(index) == 0 {
		return nil
	}
	return hooks(index)
}

// Capture is for the tasks that Go functions spawn. The caller's submission has
// captured the functions' own tokens.
func (h hooks) Capture() any {
	if token := C.pillion__guest_capture(C.uint32_t(h)); token != 0 {
		return token
	}
	return nil
}

func (h hooks) Enter(token any) {
	C.pillion__guest_enter(C.uint32_t(h), token.(C.uintptr_t))
}

func (h hooks) Leave(token any) {
	C.pillion__guest_leave(C.uint32_t(h), token.(C.uintptr_t))
}

func (h hooks) Release(token any) {
	C.pillion__guest_release(C.uint32_t(h), token.(C.uintptr_t))
}

// carry gives the options of a call's task: its own token, or none.
func (l *loop) carry(token C.uintptr_t, options ...executor.Option) []executor.Option {
	switch {
	case l.hooks == nil:
		return options
	case token == 0:
		return append(options, l.local.Carrier().WithToken(nil))
	default:
		return append(options, l.local.Carrier().WithToken(token))
	}
}
