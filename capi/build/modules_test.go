// SPDX-License-Identifier: Apache-2.0

package main

import (
	"debug/elf"
	"os"
	"os/exec"
	"testing"
)

// A vendor folder has what the author's packages import, and of Pillion hardly anything.
func TestBuildBesideAVendorFolder(t *testing.T) {
	for _, flags := range []string{"", "-mod=vendor"} {
		t.Run(flags, func(t *testing.T) { buildBesideAVendorFolder(t, flags) })
	}
}

func buildBesideAVendorFolder(t *testing.T, flags string) {
	author(t, greet)
	if out, err := exec.Command("go", "mod", "vendor").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	module, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOFLAGS", flags)
	if err := useModules(); err != nil {
		t.Fatal(err)
	}
	if err := check([]string{"./greet"}); err != nil {
		t.Fatal(err)
	}
	if err := build("libgreet.so", "libgreet.so", false, nil, []string{"./greet"}); err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile("go.mod"); err != nil || string(after) != string(module) {
		t.Errorf("go.mod has become\n%s (%v)", after, err)
	}
}

func TestUseModulesLeavesAChoice(t *testing.T) {
	t.Setenv("GOFLAGS", "-mod=mod -v")
	if err := useModules(); err != nil || os.Getenv("GOFLAGS") != "-mod=mod -v" {
		t.Errorf("GOFLAGS is %q (%v)", os.Getenv("GOFLAGS"), err)
	}
}

func TestDebugKeepsSymbols(t *testing.T) {
	author(t, greet)
	for _, debug := range []bool{false, true} {
		if err := build("libgreet.so", "libgreet.so", debug, nil, []string{"./greet"}); err != nil {
			t.Fatal(err)
		}
		lib, err := elf.Open("libgreet.so")
		if err != nil {
			t.Fatal(err)
		}
		_, err = lib.Symbols()
		if there := err == nil && lib.Section(".debug_info") != nil || lib.Section(".zdebug_info") != nil; there != debug {
			t.Errorf("-debug=%v: symbols are there: %v (%v)", debug, there, err)
		}
		lib.Close()
	}
}
