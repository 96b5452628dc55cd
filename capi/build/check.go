// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const export = "github.com/pillion-dev/pillion/executor/export"

// check runs the packages' init functions, as a load of the library would, and gives
// the mistakes in their registrations. Without it the library's user would find them:
// each start would fail.
func check(patterns []string) error {
	if len(patterns) == 0 {
		return nil
	}
	env, err := run("go", "env", "GOOS", "GOARCH", "GOHOSTOS", "GOHOSTARCH", "GOMOD")
	if err != nil {
		return err
	}
	settings := strings.Split(env, "\n")
	if settings[0] != settings[2] || settings[1] != settings[3] {
		fmt.Fprintln(os.Stderr, "build: for another machine: functions are not checked before the library starts there")
		return nil
	}
	packages, err := list("{{.ImportPath}}", patterns...)
	if err != nil {
		return err
	}
	temp, err := os.MkdirTemp("", "pillion-check-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)

	dir := filepath.Join(filepath.Dir(settings[4]), "pillion-library-check")
	o := overlay{temp: temp, Replace: map[string]string{}}
	if err := o.add(filepath.Join(dir, "main.go"), checkSource(packages)); err != nil {
		return err
	}
	config, err := o.write()
	if err != nil {
		return err
	}
	program := filepath.Join(temp, "check")
	if _, err := run("go", "build", "-overlay", config, "-o", program, dir); err != nil {
		return err
	}
	out, err := exec.Command(program).CombinedOutput()
	var failed *exec.ExitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &failed) && failed.ExitCode() == mistakes:
		return fmt.Errorf("functions that cannot be registered:\n%s", out)
	}
	return fmt.Errorf("the packages do not start (%w), and would end a process that loads them; "+
		"if they do where it is used, build with -unchecked\n%s", err, out)
}

// mistakes is the exit status of a check that found mistakes.
const mistakes = 86

func checkSource(packages []string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "package main\n\nimport (\n\t\"os\"\n\n\t%q\n", export)
	for _, p := range packages {
		fmt.Fprintf(&b, "\t_ %q\n", p)
	}
	fmt.Fprintf(&b, ")\n\nfunc main() {\n\tif err := export.Err(); err != nil {\n"+
		"\t\tos.Stdout.WriteString(err.Error() + \"\\n\")\n\t\tos.Exit(%d)\n\t}\n}\n", mistakes)
	return b.Bytes()
}
