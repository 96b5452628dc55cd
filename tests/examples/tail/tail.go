// SPDX-License-Identifier: Apache-2.0

// Package tail is an example of a stream: the lines of a log, as they are written, also
// after the log was rotated.
package tail

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"strings"
	"time"

	"github.com/pillion-dev/pillion/executor/export"
)

func init() {
	export.Stream("tail.follow", follow, export.Doc("Gives each line of a file, until it is cancelled."))
}

func follow(ctx context.Context, path string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		file, err := os.Open(path)
		for ; err == nil; file, err = reopen(ctx, path) {
			more := lines(ctx, file, path, yield)
			file.Close()
			if !more {
				return
			}
		}
		yield("", err)
	}
}

// reopen waits for the new file of a rotation.
func reopen(ctx context.Context, path string) (*os.File, error) {
	for {
		file, err := os.Open(path)
		if !errors.Is(err, fs.ErrNotExist) || !pause(ctx) {
			return file, err
		}
	}
}

// lines gives the lines of a file until another has its name, or nothing more is wanted:
// then it reports false.
func lines(ctx context.Context, file *os.File, path string, yield func(string, error) bool) bool {
	in, line, rotated := bufio.NewReader(file), "", false
	for {
		part, err := in.ReadString('\n')
		line += part
		switch {
		case err == nil:
			if !yield(strings.TrimSuffix(line, "\n"), nil) {
				return false
			}
			line = ""
		case err != io.EOF:
			return yield("", err)
		case rotated:
			return true
		case isAnother(file, path):
			rotated = true // and reads on to the end, once
		case !pause(ctx):
			return false
		}
	}
}

func isAnother(file *os.File, path string) bool {
	mine, _ := file.Stat()
	named, err := os.Stat(path)
	return err == nil && !os.SameFile(mine, named)
}

// pause waits a little; it reports false once the caller has cancelled.
func pause(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(50 * time.Millisecond):
		return true
	}
}
