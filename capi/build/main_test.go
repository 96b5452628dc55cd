// SPDX-License-Identifier: Apache-2.0

package main

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// author makes a module of somebody else's, and goes there.
func author(t *testing.T, source string) (dir string) {
	t.Helper()
	pillion, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	t.Chdir(dir)
	write := func(name, content string) {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", "module example.com/author\n\ngo 1.26.0\n\n"+
		"require github.com/pillion-dev/pillion v0.0.0\n\n"+
		"replace github.com/pillion-dev/pillion => "+pillion+"\n")
	write("greet/greet.go", source)
	if out, err := exec.Command("go", "mod", "tidy").CombinedOutput(); err != nil {
		t.Fatalf("go mod tidy: %v\n%s", err, out)
	}
	return dir
}

const greet = `package greet

import (
	"context"

	"github.com/pillion-dev/pillion/executor/export"
)

func init() {
	export.Func("greet.hello", func(_ context.Context, s string) (string, error) { return "hello " + s, nil })
}
`

func TestBuildInAnAuthorsModule(t *testing.T) {
	dir := author(t, greet)
	if err := build("libgreet.so", "libgreet.so.7", false, nil, []string{"./greet"}); err != nil {
		t.Fatal(err)
	}
	lib, err := elf.Open("libgreet.so")
	if err != nil {
		t.Fatal(err)
	}
	defer lib.Close()
	if names, err := lib.DynString(elf.DT_SONAME); err != nil || !slices.Equal(names, []string{"libgreet.so.7"}) {
		t.Errorf("SONAME is %v (%v)", names, err)
	}
	symbols, err := lib.DynamicSymbols()
	if err != nil {
		t.Fatal(err)
	}
	exported := 0
	for _, s := range symbols {
		if s.Section == elf.SHN_UNDEF || s.Name == "PILLION_1_libgreet.so.7" {
			continue
		}
		exported++
		if !strings.HasPrefix(s.Name, "pillion_") || strings.HasPrefix(s.Name, "pillion__") {
			t.Errorf("%s leaves the library", s.Name)
		}
	}
	if exported < 30 {
		t.Errorf("only %d symbols leave the library", exported)
	}
	found, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		if !slices.Contains([]string{"go.mod", "go.sum", "greet", "libgreet.so"}, filepath.Base(f)) {
			t.Errorf("the build left %s behind", f)
		}
	}
}

func TestBuildSaysWhatIsWrong(t *testing.T) {
	author(t, "package greet\n\nthis is not Go\n")
	if err := build("libgreet.so", "libgreet.so", false, nil, []string{"./greet"}); err == nil {
		t.Error("no error for a package that does not compile")
	}
	if _, err := os.Stat("libgreet.so"); err == nil {
		t.Error("a library was written all the same")
	}
}
