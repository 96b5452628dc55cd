// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"syscall"

	"github.com/pillion-dev/pillion/executor/export"
	"github.com/pillion-dev/pillion/executor/offload"
)

var computing, mostComputing atomic.Int64

func init() {
	export.Func("test.processors", func(context.Context, []byte) (string, error) {
		return fmt.Sprint(runtime.GOMAXPROCS(0)), nil
	})
	export.Func("test.crowd", func(_ context.Context, ms string) (string, error) {
		n := computing.Add(1)
		defer computing.Add(-1)
		for most := mostComputing.Load(); n > most && !mostComputing.CompareAndSwap(most, n); most = mostComputing.Load() {
		}
		err := until(ms, runtime.Gosched)
		return fmt.Sprint(mostComputing.Load()), err
	}, export.CPUBound(), export.Doc("Tells how many of its kind have run at a time, after so many milliseconds."))
	export.Func("test.read", read,
		export.Doc("Given two descriptors and a number, writes that to the second, and keeps a thread until it has read a byte from the first."))
	export.Func("test.read_away", func(ctx context.Context, request string) (response string, err error) {
		offload.Away(ctx, func() { response, err = read(ctx, request) })
		return response, err
	}, export.CPUBound(), export.Doc("Does as test.read does, away from its seat."))
}

func read(_ context.Context, request string) (string, error) {
	var from, to, number int
	if _, err := fmt.Sscan(request, &from, &to, &number); err != nil {
		return "", err
	}
	if _, err := syscall.Write(to, []byte{byte(number), byte(number >> 8)}); err != nil {
		return "", err
	}
	_, err := syscall.Read(from, make([]byte, 1))
	return request, err
}
