// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func patched(t *testing.T, g *goRuntime, without ...string) (overlay, error) {
	t.Helper()
	o := overlay{temp: t.TempDir(), Replace: map[string]string{}}
	return o, g.patch(&o, without)
}

func TestPatchesFitTheToolchain(t *testing.T) {
	g, err := runtimeOfGo()
	if err != nil {
		t.Fatal(err)
	}
	o, err := patched(t, g)
	if err != nil {
		t.Fatal(err)
	}
	for original, replacement := range o.Replace {
		before, err := os.ReadFile(original)
		if err != nil {
			t.Fatal(err)
		}
		after, err := os.ReadFile(replacement)
		if err != nil {
			t.Fatal(err)
		}
		if string(before) == string(after) {
			t.Errorf("%s is replaced by itself", original)
		}
	}
	if len(o.Replace) < 5 {
		t.Errorf("only %d files are changed", len(o.Replace))
	}
}

// fake is a toolchain with one file of the runtime.
func fake(t *testing.T, file, text string) *goRuntime {
	t.Helper()
	root := t.TempDir()
	path := filepath.Join(root, "src", "runtime", file)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return &goRuntime{version: "go1.99", arch: "amd64", root: root}
}

func TestPatchThatDoesNotFitIsNamed(t *testing.T) {
	child := patches[0].edits[0]
	for what, text := range map[string]string{
		"is not in":             "package runtime\n",
		"stands more than once": child.old + "\n" + child.old + "\n",
	} {
		_, err := patched(t, fake(t, child.files[0], text))
		if err == nil {
			t.Fatalf("no error where the text %s the file", what)
		}
		for _, part := range []string{"go1.99", patches[0].name, what, "-without " + patches[0].name} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q does not say %q", err, part)
			}
		}
	}
}

func TestPatchesAreLeftOut(t *testing.T) {
	var all []string
	for _, p := range patches {
		all = append(all, p.name)
	}
	o, err := patched(t, fake(t, "proc.go", "package runtime\n"), all...)
	if err != nil || len(o.Replace) != 0 {
		t.Errorf("without all patches: %d files changed, %v", len(o.Replace), err)
	}
	if _, err := patched(t, fake(t, "proc.go", ""), "no-such-patch"); err == nil {
		t.Error("no error for a patch that there is not")
	}
}

func TestFetchedToolchainIsLinkedElsewhere(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	g := fake(t, "proc.go", "package runtime\n")
	var roots [2]string
	for i := range roots {
		root, err := outsideOfModules(g.root, g.version)
		if err != nil {
			t.Fatal(err)
		}
		roots[i] = root
	}
	text, err := os.ReadFile(filepath.Join(roots[0], "src", "runtime", "proc.go"))
	if err != nil || string(text) != "package runtime\n" {
		t.Errorf("the tree of links has %q, %v", text, err)
	}
	if roots[0] != roots[1] || strings.HasPrefix(roots[0], g.root) {
		t.Errorf("the trees are %q", roots)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(roots[0]), "*")); len(left) != 1 {
		t.Errorf("left beside it: %q", left)
	}
}
