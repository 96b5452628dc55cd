// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"slices"
	"strings"
)

// useModules makes the go command resolve packages from modules, also beside a vendor
// folder. That folder has only the imports of the author's packages: not capi, and
// never the C below it, for go mod vendor takes no folder without Go files.
func useModules() error {
	out, err := run("go", "env", "GOFLAGS")
	if err != nil {
		return err
	}
	flags := strings.Fields(out)
	if slices.Contains(flags, "-mod=mod") {
		return nil
	}
	flags = slices.DeleteFunc(flags, func(f string) bool { return strings.HasPrefix(f, "-mod=") })
	return os.Setenv("GOFLAGS", strings.Join(append(flags, "-mod=readonly"), " "))
}
