// SPDX-License-Identifier: Apache-2.0

//go:build !cgo

package glib

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Threads that C has made run loops, and executors ride on those that Go knows. The
// others are refused: their coroutines would end the process. It builds a library with
// cgo, so tests without cgo run it, once for both.
func TestThreadsThatCHasMade(t *testing.T) {
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("no C compiler")
	}
	dir := t.TempDir()
	flags, err := exec.Command("pkg-config", "--cflags", "--libs", "glib-2.0").Output()
	if err != nil {
		t.Skip("no headers of GLib")
	}
	library, program := filepath.Join(dir, "libthread.so"), filepath.Join(dir, "program")
	run := func(name string, args ...string) {
		t.Helper()
		command := exec.Command(name, args...)
		command.Env = append(os.Environ(), "CGO_ENABLED=1")
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
	}
	run("go", "build", "-buildmode=c-shared", "-o", library, "./testdata/thread")
	run(cc, append([]string{"-o", program, "testdata/program/program.c", library, "-Wl,-rpath," + dir, "-lpthread"},
		strings.Fields(string(flags))...)...)
	run("timeout", "200", program)
}
