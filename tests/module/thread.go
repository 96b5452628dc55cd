// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"fmt"
	"syscall"

	"github.com/pillion-dev/pillion/executor/export"
)

func init() {
	export.Func("test.read", func(_ context.Context, request string) (string, error) {
		var from, to, number int
		if _, err := fmt.Sscan(request, &from, &to, &number); err != nil {
			return "", err
		}
		if _, err := syscall.Write(to, []byte{byte(number), byte(number >> 8)}); err != nil {
			return "", err
		}
		_, err := syscall.Read(from, make([]byte, 1))
		return request, err
	}, export.Doc("Given two descriptors and a number, writes that to the second, and keeps a thread until it has read a byte from the first."))
}
