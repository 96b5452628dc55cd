// SPDX-License-Identifier: Apache-2.0

package module

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"os/exec"
	"runtime"
	"runtime/pprof"
	"sync/atomic"

	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/export"
)

// loose ends test.tight.
var loose atomic.Bool

func init() {
	export.Func("test.child_mask", func(context.Context, []byte) ([]byte, error) { return childMask() },
		export.Doc("Tells which signals a child of os/exec blocks."))
	export.Loop("test.loop_child_mask", func(*coro.Co, []byte) ([]byte, error) { return childMask() })
	export.Func("test.profile", func(_ context.Context, ms string) (string, error) {
		return profile(ms)
	}, export.Doc("Profiles itself for so many milliseconds: is it found in the profile?"))
	export.Func("test.collect", func(context.Context, []byte) ([]byte, error) {
		runtime.GC()
		return nil, nil
	})
	export.Func("test.tight", func(context.Context, []byte) ([]byte, error) {
		loose.Store(false)
		waiting.Add(1)
		for !loose.Load() {
		}
		waiting.Add(-1)
		return nil, nil
	}, export.Doc("Loops without a call until test.loosen is called."))
	export.Func("test.loosen", func(context.Context, []byte) (string, error) {
		loose.Store(true)
		return "0", nil
	})
}

func childMask() ([]byte, error) {
	out, err := exec.Command("sed", "-n", `s/^SigBlk:\t//p`, "/proc/self/status").Output()
	return bytes.TrimSpace(out), err
}

func profile(ms string) (string, error) {
	var compressed bytes.Buffer
	if err := pprof.StartCPUProfile(&compressed); err != nil {
		return "", err
	}
	err := until(ms, burn)
	pprof.StopCPUProfile()
	if err != nil {
		return "", err
	}
	r, err := gzip.NewReader(&compressed)
	if err != nil {
		return "", err
	}
	// A profile names the functions that were seen, and no others.
	named, err := io.ReadAll(r)
	if bytes.Contains(named, []byte("module.burn")) {
		return "found", err
	}
	return "not found", err
}

var burnt uint64

//go:noinline
func burn() {
	for i := range uint64(1 << 16) {
		burnt = burnt*6364136223846793005 + i
	}
}
