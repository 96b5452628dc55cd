// SPDX-License-Identifier: Apache-2.0

// Package hash hashes files whose bytes its caller sends.
package hash

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"iter"

	"github.com/pillion-dev/pillion/executor/export"
)

type request struct {
	Progress export.Signal[int] `json:"progress"` // bytes so far; the newest is enough
}

func init() {
	export.Collect("hash.sha256", func(_ context.Context, r request, blocks iter.Seq2[[]byte, error]) (string, error) {
		sum, done := sha256.New(), 0
		for block, err := range blocks {
			if err != nil {
				return "", err
			}
			sum.Write(block)
			done += len(block)
			if err := r.Progress.Latest(done); err != nil {
				return "", err
			}
		}
		return hex.EncodeToString(sum.Sum(nil)), nil
	})
}
