// SPDX-License-Identifier: Apache-2.0

// Child does the demo's hashing as a plain Go program, with a worker for each
// core: the same work on the same cores as through Pillion, but in a process of
// its own. It prints the number of files, of bytes and of nanoseconds.
package main

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/pillion-dev/pillion/tests/examples/demo/hash"
)

func main() {
	rounds := flag.Int("r", 1, "how often each file is hashed")
	flag.Parse()
	var paths []string
	var bytes int64
	err := filepath.WalkDir(flag.Arg(0), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			paths = append(paths, path)
			bytes += info.Size()
		}
		return err
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(1)
	}

	start := time.Now()
	next := make(chan string, 128)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for path := range next {
				if _, err := hash.File(context.Background(), path); err != nil {
					fmt.Fprintln(os.Stderr, "child:", err)
				}
			}
		})
	}
	for range *rounds {
		for _, path := range paths {
			next <- path
		}
	}
	close(next)
	workers.Wait()
	fmt.Println(len(paths)**rounds, bytes*int64(*rounds), time.Since(start).Nanoseconds())
}
