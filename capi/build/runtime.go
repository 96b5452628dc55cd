// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// goRuntime is the toolchain that a build uses, with the sources of its runtime.
type goRuntime struct {
	version, arch, root string
}

func runtimeOfGo() (*goRuntime, error) {
	out, err := run("go", "env", "GOVERSION", "GOARCH", "GOROOT", "GOMODCACHE")
	if err != nil {
		return nil, err
	}
	env := strings.Split(out, "\n")
	if len(env) != 4 {
		return nil, fmt.Errorf("go env says %q", out)
	}
	g := &goRuntime{version: env[0], arch: env[1], root: env[2]}
	if strings.HasPrefix(g.root, env[3]+string(filepath.Separator)) {
		g.root, err = outsideOfModules(g.root, g.version)
	}
	return g, err
}

// outsideOfModules makes a tree of links to a toolchain that go has fetched as a
// module, since an overlay may not replace files in the module cache.
func outsideOfModules(root, version string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	to := filepath.Join(cache, "pillion", "goroot-"+version)
	if _, err := os.Stat(to); err == nil {
		return to, nil
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return "", err
	}
	temp, err := os.MkdirTemp(filepath.Dir(to), version+"-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temp)
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		at := filepath.Join(temp, strings.TrimPrefix(path, root))
		if entry.IsDir() {
			return os.MkdirAll(at, 0o755)
		}
		return os.Symlink(path, at)
	})
	if err != nil {
		return "", err
	}
	// Another build may have been faster.
	if err := os.Rename(temp, to); err != nil && !exists(to) {
		return "", err
	}
	return to, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// patch adds the changed files of the runtime to the overlay, without the patches
// whose names are in `without`.
func (g *goRuntime) patch(o *overlay, without []string) error {
	for _, name := range without {
		if !slices.ContainsFunc(patches, func(p patch) bool { return p.name == name }) {
			return fmt.Errorf("there is no patch named %q", name)
		}
	}
	changed := map[string]string{}
	for _, p := range patches {
		if slices.Contains(without, p.name) {
			continue
		}
		for _, e := range p.edits {
			if err := g.apply(e, changed); err != nil {
				return fmt.Errorf("%s: the patch %q does not fit: %w\n"+
					"The library can be built without it: -without %s", g.version, p.name, err, p.name)
			}
		}
	}
	for path, text := range changed {
		if err := o.add(path, []byte(text)); err != nil {
			return err
		}
	}
	return nil
}

// apply makes one edit in the texts of the files changed so far.
func (g *goRuntime) apply(e edit, changed map[string]string) error {
	found := ""
	for _, file := range e.files {
		path := filepath.Join(g.root, "src", "runtime", file)
		if len(e.files) > 1 && g.othersProcessor(file) || !exists(path) {
			continue
		}
		text, ok := changed[path]
		if !ok {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text = string(content)
		}
		switch n := strings.Count(text, e.old); {
		case n == 0:
			continue
		case n > 1 || found != "":
			return fmt.Errorf("the text %q stands more than once in runtime/%s", e.old, file)
		}
		found = path
		changed[path] = strings.Replace(text, e.old, e.new, 1)
	}
	if found == "" {
		return fmt.Errorf("the text %q is not in runtime/%s", e.old, strings.Join(e.files, ", "))
	}
	return nil
}

// othersProcessor reports whether a file is for another processor than the build's.
func (g *goRuntime) othersProcessor(file string) bool {
	return strings.Contains(file, "_amd64.") && g.arch != "amd64" ||
		strings.Contains(file, "_arm64.") && g.arch != "arm64"
}
