// SPDX-License-Identifier: Apache-2.0

// Package hash is the work of the demo, with nothing of Pillion in it: the same
// code runs in the library and in a plain Go program beside it.
package hash

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"sync"
)

var buffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// File tells the SHA-256 of a file's content, in hexadecimal.
func File(ctx context.Context, path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	buffer := buffers.Get().(*[64 << 10]byte)
	defer buffers.Put(buffer)
	h := sha256.New()
	for {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		n, err := f.Read(buffer[:])
		h.Write(buffer[:n])
		if err == io.EOF {
			return hex.EncodeToString(h.Sum(nil)), nil
		}
		if err != nil {
			return "", err
		}
	}
}
