// SPDX-License-Identifier: Apache-2.0

//go:build amd64 && !race

package executor

import (
	"maps"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// These are what a Local does on its own paths: spawn, wake, poll, yield, end, timers.
// Whatever they call that isn't here is inlined in them, or off those paths.
const ownPaths = `\(\*Local\)\.(spawn|takeSlot|wake|WakeLocal|fire|burst|check|pollOrEnd|pollOrUnwind|charge|drop)` +
	`|\(\*Context\)\.(WakeSelf|again|Shield)|\(\*ring\)\.(push|grow)` +
	`|\(\*Timer\)\.(Poll|Drop)|\(\*Wheel\)\..*|meld.*` +
	`|\(\*Task\[(go\.shape\.)?int\]\)\.(Spawn|poll|drop|unwind|notify)`

// These go to others, and lock. They are here to see that locking is seen.
const lockingPaths = `Mark|\(\*chunk\)\.push|\(\*Local\)\.(poke|prime|giveSlot)`

// locked looks for instructions that lock the bus in functions of this package. It
// gives how many each has.
func locked(t *testing.T, functions string) map[string]int {
	t.Helper()
	if testing.CoverMode() != "" {
		t.Skip("coverage counts with atomic operations")
	}
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("no go command: ", err)
	}
	binary := filepath.Join(t.TempDir(), "executor.test") // the one that runs has no symbols
	if out, err := exec.Command(goTool, "test", "-c", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	text, err := exec.Command(goTool, "tool", "objdump", "-s", `/(executor|wheel|cell)\.(`+functions+`)$`, binary).Output()
	if err != nil {
		t.Fatal(err)
	}
	const name = `(?m)^TEXT \S*/(?:executor|wheel|cell)\.(\S+)\(SB\)`
	// An exchange with memory locks without saying so.
	lock := regexp.MustCompile(`\sLOCK\s|\sXCHG[BWLQ]\s.*\(`)
	found := make(map[string]int)
	for _, function := range regexp.MustCompile(name+`[^\n]*\n(?:[^T\n].*\n|\n)*`).FindAllStringSubmatch(string(text), -1) {
		found[function[1]] = len(lock.FindAllString(function[0], -1))
	}
	return found
}

func TestOwnPathsDoNotLock(t *testing.T) {
	found := locked(t, ownPaths)
	for function, n := range found {
		if n > 0 {
			t.Errorf("%s locks %d times", function, n)
		}
	}
	for _, must := range []string{
		"(*Local).spawn", "(*Local).takeSlot", "(*Local).wake", "(*Local).WakeLocal", "(*Local).burst",
		"(*Local).fire", "(*Timer).Poll", "(*Context).WakeSelf", "(*Task[int]).poll",
		"(*Wheel).Arm", "(*Wheel).Disarm", "(*Wheel).Due",
	} {
		if _, ok := found[must]; !ok {
			t.Errorf("%s wasn't looked at, but %s", must, strings.Join(slices.Sorted(maps.Keys(found)), " "))
		}
	}
}

func TestLockingIsSeen(t *testing.T) {
	found := locked(t, lockingPaths)
	for _, must := range []string{"Mark", "(*Local).poke", "(*Local).prime"} {
		if found[must] == 0 {
			t.Errorf("%s locks, and that wasn't seen: %v", must, found)
		}
	}
}
