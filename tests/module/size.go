// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"strconv"

	"github.com/pillion-dev/pillion/executor/export"
)

func init() {
	export.Func("test.length", func(_ context.Context, b []byte) (string, error) {
		return strconv.Itoa(len(b)) + string(b[len(b)-1:]), nil
	}, export.Doc("Returns how long its request is, and its last byte."))
	export.Func("test.zeros", func(_ context.Context, n string) ([]byte, error) {
		size, err := strconv.Atoi(n)
		return make([]byte, size), err
	}, export.Doc("Returns so many zeros."))
}
