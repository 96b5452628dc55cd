// SPDX-License-Identifier: Apache-2.0

// Package hello is a library for every event loop, in ten lines.
package hello

import (
	"context"

	"github.com/pillion-dev/pillion/executor/export"
)

func init() {
	export.Func("hello.greet", func(_ context.Context, name string) (string, error) {
		return "Hello, " + name + "!", nil
	})
}
