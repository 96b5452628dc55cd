// SPDX-License-Identifier: Apache-2.0

package descriptor

import (
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

// A program that has closed 0, 1 and 2 runs this test anew.
func TestDescriptorsAreAboveStdio(t *testing.T) {
	if os.Getenv("PILLION_CLOSED") == "" {
		again := exec.Command(os.Args[0], "-test.run=^TestDescriptorsAreAboveStdio$")
		again.Env = append(os.Environ(), "PILLION_CLOSED=1")
		if err := again.Run(); err != nil {
			t.Error(err)
		}
		return
	}
	for fd := range aboveStdio {
		unix.Close(fd)
	}
	var w Wakeup
	if err := w.Open(); err != nil || w.FD() < aboveStdio || unix.Close(0) == nil {
		os.Exit(1)
	}
	os.Exit(0)
}
