// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
)

// glue is the toolchain's own part of a module for JavaScript. It fits that toolchain only,
// so each build gives it to the author, beside the module.
const glue = "wasm_exec.js"

// buildModule builds a WebAssembly module.
func buildModule(output string, wasi, debug bool, patterns []string) error {
	temp, err := os.MkdirTemp("", "pillion-build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	args := []string{"build", "-trimpath", "-o", output}
	system := "js"
	if wasi {
		system = "wasip1"
		args = append(args, "-buildmode=c-shared")
	}
	if !debug {
		args = append(args, "-ldflags=-s -w")
	}
	os.Setenv("GOOS", system)
	os.Setenv("GOARCH", "wasm")
	o := overlay{temp: temp, Replace: map[string]string{}}
	dir, err := o.addMain(moduleSource, patterns)
	if err != nil {
		return err
	}
	config, err := o.write()
	if err != nil {
		return err
	}
	if _, err := run("go", append(args, "-overlay", config, dir)...); err != nil || wasi {
		return err
	}
	root, err := run("go", "env", "GOROOT")
	if err != nil {
		return err
	}
	script, err := os.ReadFile(filepath.Join(root, "lib", "wasm", glue))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(filepath.Dir(output), glue), script, 0o644)
}

// moduleSource starts in init, since a reactor has no main function. The main function of
// a module for JavaScript never returns: exports can't be called after its end.
func moduleSource(packages []string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "package main\n\nimport (\n\t%q\n", capi+"/wasm")
	for _, p := range packages {
		fmt.Fprintf(&b, "\t_ %q\n", p)
	}
	b.WriteString(")\n\nfunc init() { wasm.Start() }\n\nfunc main() { select {} }\n")
	return b.Bytes()
}
