// SPDX-License-Identifier: Apache-2.0

// Build composes Go packages that register functions with executor/export into
// one C shared library with Pillion's whole ABI:
//
//	go run github.com/pillion-dev/pillion/capi/build -o libfoo.so ./pkg…
//
// or into a WebAssembly module for browsers and Node, which bindings/browser loads:
//
//	go run github.com/pillion-dev/pillion/capi/build -o foo.wasm ./pkg…
//
// Run it inside the module of the packages. The SONAME is the output's base name,
// unless -soname gives another. The library exports exactly the symbols of pillion.h.
// The command runs the packages' init functions once, to check their registrations;
// -unchecked is for packages that can run only where the library is used. Each library
// has a Go runtime of its own. Libraries of several authors can share a process; for
// packages of one author one library is cheaper.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

const capi = "github.com/pillion-dev/pillion/capi"

func main() {
	output := flag.String("o", "", "the library to write, say libfoo.so or foo.wasm")
	soname := flag.String("soname", "", "its SONAME; by default the base name of the output")
	unchecked := flag.Bool("unchecked", false, "do not run the packages' init functions to check what they register")
	debug := flag.Bool("debug", false, "keep the symbols and what debuggers need")
	wasi := flag.Bool("wasi", false, "with -o foo.wasm: a reactor for WASI (wasip1) instead of a module for JavaScript")
	without := flag.String("without", "", "changes to Go's runtime that are to be left out, by `names` with commas")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: build -o libfoo.so [-soname NAME] [-debug] [-unchecked] [-without NAMES] [packages]\n"+
			"       build -o foo.wasm [-wasi] [-debug] [-unchecked] [packages]")
		flag.PrintDefaults()
	}
	flag.Parse()
	if *output == "" {
		flag.Usage()
		os.Exit(2)
	}
	if *soname == "" {
		*soname = filepath.Base(*output)
	}
	exitOn(useModules())
	if !*unchecked {
		exitOn(check(flag.Args()))
	}
	if filepath.Ext(*output) == ".wasm" {
		exitOn(buildModule(*output, *wasi, *debug, flag.Args()))
		return
	}
	leave := strings.FieldsFunc(*without, func(r rune) bool { return r == ',' })
	exitOn(build(*output, *soname, *debug, leave, flag.Args()))
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
		os.Exit(1)
	}
}

func build(output, soname string, debug bool, without, patterns []string) error {
	dir, err := list("{{.Dir}}", capi)
	if err != nil {
		return fmt.Errorf("%w: a vendor folder has not all of Pillion; go mod download fetches it", err)
	}
	temp, err := os.MkdirTemp("", "pillion-build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)

	o := overlay{temp: temp, Replace: map[string]string{}}
	mainDir, err := o.addMain(mainSource, patterns)
	if err != nil {
		return err
	}
	if err := o.addFingerprint(dir[0]); err != nil {
		return err
	}
	g, err := runtimeOfGo()
	if err != nil {
		return err
	}
	if err := g.patch(&o, without); err != nil {
		return err
	}
	config, err := o.write()
	if err != nil {
		return err
	}
	script, err := exports(dir[0], soname, temp)
	if err != nil {
		return err
	}
	external := fmt.Sprintf("-Wl,--version-script=%s -Wl,-soname,%s", script, soname)
	strip := "-s -w "
	if debug {
		strip = ""
	}
	unpatched := fmt.Sprintf("-X %s.unpatched=%s", capi, strings.Join(without, ","))
	os.Setenv("GOROOT", g.root)
	_, err = run("go", "build", "-overlay", config, "-trimpath",
		"-buildmode=c-shared", "-o", output,
		"-ldflags", strip+unpatched+" -extldflags '"+external+"'", mainDir)
	if err != nil {
		return err
	}
	// Go writes a header for the exports, which stay inside the library.
	err = os.Remove(strings.TrimSuffix(output, filepath.Ext(output)) + ".h")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// exports writes the linker script, in which the version of the symbols names the
// library. So a C library that is linked to it gets these symbols, though another
// author's have the same names.
func exports(capiDir, soname, temp string) (string, error) {
	script, err := os.ReadFile(filepath.Join(capiDir, "exports.map"))
	if err != nil {
		return "", err
	}
	version := "PILLION_1_" + regexp.MustCompile(`[^A-Za-z0-9_.]`).ReplaceAllString(soname, "_")
	path := filepath.Join(temp, "exports.map")
	return path, os.WriteFile(path, bytes.Replace(script, []byte("PILLION_1"), []byte(version), 1), 0o644)
}

func mainSource(packages []string) []byte {
	var b bytes.Buffer
	b.WriteString("package main\n\nimport (\n")
	for _, p := range append([]string{capi}, packages...) {
		fmt.Fprintf(&b, "\t_ %q\n", p)
	}
	b.WriteString(")\n\nfunc main() {}\n")
	return b.Bytes()
}

// overlay is go build's -overlay file.
type overlay struct {
	temp    string
	Replace map[string]string
}

func (o *overlay) add(path string, content []byte) error {
	file := filepath.Join(o.temp, fmt.Sprint(len(o.Replace), "-", filepath.Base(path)))
	o.Replace[path] = file
	return os.WriteFile(file, content, 0o644)
}

// addMain makes the main package of the packages. It exists in the overlay only: nothing is
// written into the author's tree.
func (o *overlay) addMain(source func(packages []string) []byte, patterns []string) (dir string, err error) {
	packages, err := list("{{.ImportPath}}", patterns...)
	if err != nil {
		return "", err
	}
	root, err := run("go", "env", "GOMOD")
	if err != nil {
		return "", err
	}
	dir = filepath.Join(filepath.Dir(root), "pillion-library-main")
	return dir, o.add(filepath.Join(dir, "main.go"), source(packages))
}

// addFingerprint makes go build see changes of the C below or beside the packages,
// since go build looks only at files of a package's own folder. In the module cache
// nothing changes, and nothing may be replaced.
func (o *overlay) addFingerprint(capiDir string) error {
	cache, err := run("go", "env", "GOMODCACHE")
	if err != nil || strings.HasPrefix(capiDir, cache+string(filepath.Separator)) {
		return err
	}
	hash := sha256.New()
	for _, pattern := range []string{"core/*.[ch]", "core/*/*.[ch]", "loops/*.[ch]", "loops/*/*.h", "loops/*/*/*.h", "../include/*.h", "../include/pillion/*.h"} {
		files, err := filepath.Glob(filepath.Join(capiDir, pattern))
		if err != nil {
			return err
		}
		for _, f := range files {
			content, err := os.ReadFile(f)
			if err != nil {
				return err
			}
			hash.Write(content)
		}
	}
	content := fmt.Appendf(nil, "/* %x */\n", hash.Sum(nil))
	return errors.Join(
		o.add(filepath.Join(capiDir, "fingerprint.h"), content),
		o.add(filepath.Join(capiDir, "host", "fingerprint.h"), content))
}

func (o *overlay) write() (string, error) {
	config, err := json.Marshal(o)
	if err != nil {
		return "", err
	}
	path := filepath.Join(o.temp, "overlay.json")
	return path, os.WriteFile(path, config, 0o644)
}

func list(format string, patterns ...string) ([]string, error) {
	if len(patterns) == 0 {
		return nil, nil
	}
	out, err := run("go", append([]string{"list", "-f", format}, patterns...)...)
	return strings.Fields(out), err
}

// run gives the command's output; its complaints go to stderr.
func run(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", name, args[0], err)
	}
	return strings.TrimSpace(string(out)), nil
}
