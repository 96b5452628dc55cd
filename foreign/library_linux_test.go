// SPDX-License-Identifier: Apache-2.0

package foreign

import (
	"errors"
	"strings"
	"testing"
	"unsafe"
)

func TestWhatIsMissingIsNamed(t *testing.T) {
	var function uintptr
	for _, c := range []struct {
		soname, name string
		want         error
		says         string
	}{
		{"libnone.so.1", "none_new", ErrNoLibrary, "libnone.so.1"},
		{"libc.so.6", "none_new", ErrNoFunction, "none_new"},
	} {
		err := Load(c.soname, map[string]*uintptr{c.name: &function})
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Error(err)
		}
	}
	if err := Load("libnone.so.1", map[string]*uintptr{"malloc": &function}); err != nil || function == 0 {
		t.Error(err, "though the process has it")
	}
}

func TestDepthCountsCallbacks(t *testing.T) {
	var got []int
	var deeper func()
	deeper = func() {
		if got = append(got, depth()); len(got) < 4 {
			Call(callBack(), uintptr(unsafe.Pointer(&deeper)))
		}
	}
	deeper()
	for i, n := range got {
		if n != i {
			t.Fatal(got)
		}
	}
}
