// SPDX-License-Identifier: Apache-2.0

package module

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/pprof"
	"strconv"
	"sync/atomic"
	"syscall"

	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/export"
)

// loose ends test.tight.
var loose atomic.Bool

func init() {
	export.Func("test.child_mask", func(context.Context, []byte) ([]byte, error) { return childMask() },
		export.Doc("Tells which signals a child of os/exec blocks."))
	export.Loop("test.loop_child_mask", func(*coro.Co, []byte) ([]byte, error) { return childMask() })
	export.Loop("test.loop_mask", func(*coro.Co, []byte) ([]byte, error) { return blocked("thread-self") },
		export.Doc("Tells which signals the loop's thread blocks."))
	export.Func("test.write", func(_ context.Context, fd string) (string, error) { return write(fd) },
		export.Doc("Writes a byte to a descriptor: what is the error?"))
	export.Loop("test.loop_write", func(_ *coro.Co, fd string) (string, error) { return write(fd) })
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

func blocked(process string) ([]byte, error) {
	status, err := os.ReadFile("/proc/" + process + "/status")
	_, after, _ := bytes.Cut(status, []byte("\nSigBlk:\t"))
	mask, _, _ := bytes.Cut(after, []byte("\n"))
	return mask, err
}

func write(fd string) (string, error) {
	n, err := strconv.Atoi(fd)
	if err != nil {
		return "", err
	}
	if _, err = syscall.Write(n, []byte("x")); err != nil {
		return err.Error(), nil
	}
	return "written", nil
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
	// A profile names only functions that its samples have met.
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
