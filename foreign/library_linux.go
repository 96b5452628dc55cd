// SPDX-License-Identifier: Apache-2.0

package foreign

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/ebitengine/purego"
)

var (
	// ErrNoLibrary says that the loop's library isn't on this machine.
	ErrNoLibrary = errors.New("foreign: library not found")
	// ErrNoFunction says that the loop's library is too old.
	ErrNoFunction = errors.New("foreign: function not found")
	// ErrWrongThread says that the loop or the host belongs to another thread.
	ErrWrongThread = errors.New("foreign: wrong thread")
)

// Load finds C functions by their names: in the process if it has the first of them, else
// in the library, which it loads if need be.
//
// # Errors
//
// [ErrNoLibrary] and [ErrNoFunction].
func Load(soname string, functions map[string]*uintptr) error {
	names := slices.Sorted(maps.Keys(functions))
	from := uintptr(purego.RTLD_DEFAULT)
	if _, err := purego.Dlsym(from, names[0]); err != nil {
		from, err = purego.Dlopen(soname, purego.RTLD_NOW|purego.RTLD_LOCAL)
		if err != nil {
			return fmt.Errorf("%w: %v", ErrNoLibrary, err)
		}
	}
	for _, name := range names {
		address, err := purego.Dlsym(from, name)
		if err != nil {
			return fmt.Errorf("%w: %v", ErrNoFunction, err)
		}
		*functions[name] = address
	}
	return nil
}

// Call calls a C function with integers and pointers. A Go pointer among them is valid
// during the call.
//
//go:uintptrescapes
func Call(function uintptr, args ...uintptr) uintptr {
	r, _, _ := purego.SyscallN(function, args...)
	return r
}
