// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const bad = `package greet

import (
	"context"

	"github.com/pillion-dev/pillion/executor/export"
)

func hello(_ context.Context, s string) (string, error) { return "hello " + s, nil }

func init() {
	export.Func("nodot", hello)
	export.Func("greet.hello", hello)
	export.Func("greet.hello", hello)
}
`

func TestCheckNamesBadFunctions(t *testing.T) {
	author(t, bad)
	if err := os.MkdirAll("other", 0o755); err != nil {
		t.Fatal(err)
	}
	other := strings.ReplaceAll(strings.ReplaceAll(bad, "package greet", "package other"), "nodot", `a.b\x00c`)
	if err := os.WriteFile("other/other.go", []byte(other), 0o644); err != nil {
		t.Fatal(err)
	}
	err := check([]string{"./..."})
	if err == nil {
		t.Fatal("nothing is found")
	}
	for _, want := range []string{
		`/greet/greet\.go:12: export: "nodot": the name is not of the form module\.function\n`,
		`/greet/greet\.go:14: export: "greet\.hello": the name is taken by .*/greet/greet\.go:13\n`,
		`/other/other\.go:12: export: "a\.b\\x00c": the name is not of the form module\.function\n`,
		`/other/other\.go:13: export: "greet\.hello": the name is taken by .*/greet/greet\.go:13\n`,
	} {
		if !regexp.MustCompile(want).MatchString(err.Error()) {
			t.Errorf("no line like %s in:\n%v", want, err)
		}
	}
	if n := strings.Count(err.Error(), "export: "); n != 5 {
		t.Errorf("%d mistakes, not 5:\n%v", n, err)
	}
}

func TestCheckPassesWhatIsWell(t *testing.T) {
	author(t, greet)
	if err := check([]string{"./greet"}); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat("pillion-library-check"); err == nil {
		t.Error("the check left a folder behind")
	}
}

func TestCheckTellsOfAnInitThatPanics(t *testing.T) {
	author(t, strings.Replace(greet, "func init() {", `func init() { panic("no database")`, 1))
	err := check([]string{"./greet"})
	if err == nil || !strings.Contains(err.Error(), "no database") || !strings.Contains(err.Error(), "-unchecked") {
		t.Errorf("the error is %v", err)
	}
}

// start loads a library, starts it twice, and finds a function that was registered well.
const start = `
#include <dlfcn.h>
#include <stdio.h>
#include "pillion.h"
static void on_log(int level, const char *text, void *data) {
  (void)data;
  printf("log %d: %s\n", level, text);
}
int main(int argc, char **argv) {
  void *lib = dlopen(argv[argc - 1], RTLD_NOW);
  if (lib == NULL) return fprintf(stderr, "%s\n", dlerror()), 1;
  int (*start)(const pillion_start_options *, char *, size_t) = dlsym(lib, "pillion_start");
  int (*find)(pillion_function *, const char *) = dlsym(lib, "pillion_function_find");
  int (*log)(pillion_log_fn, void *, pillion_drop_fn) = dlsym(lib, "pillion_log_set");
  pillion_function f;
  char text[400];
  printf("%d ", start(NULL, text, sizeof text));
  printf("%s\n", text);
  log(on_log, NULL, NULL);
  printf("%d\n", find(&f, "greet.hello"));
  return 0;
}
`

// A library whose functions were not checked is loaded like any other, and says at its
// start what is wrong.
func TestMistakesAreErrorsOfTheStart(t *testing.T) {
	include, err := filepath.Abs("../../include")
	if err != nil {
		t.Fatal(err)
	}
	author(t, bad)
	if err := build("libgreet.so", "libgreet.so", false, nil, []string{"./greet"}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("start.c", []byte(start), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cc", "-I"+include, "start.c", "-o", "start", "-ldl").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command("./start", "./libgreet.so").CombinedOutput()
	const told = `example.com/author/greet/greet.go:12: export: "nodot": the name is not of the form module.function
example.com/author/greet/greet.go:14: export: "greet.hello": the name is taken by example.com/author/greet/greet.go:13
`
	if want := "-1 " + told + "log 1: " + told + "-1\n"; err != nil || string(out) != want {
		t.Errorf("it printed %v\n%s\nand not\n%s", err, out, want)
	}
}
