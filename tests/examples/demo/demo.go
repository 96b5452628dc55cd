// SPDX-License-Identifier: Apache-2.0

// Package demo is a Go library with blocking code of two kinds, which demo_uv.c,
// demo_asyncio.py and hash_gtk.c await on their loops.
package demo

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path/filepath"

	"github.com/pillion-dev/pillion/executor/export"
	"github.com/pillion-dev/pillion/tests/examples/demo/hash"
)

var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}

func init() {
	export.Func("demo.sha256", hash.File, export.CPUBound(),
		export.Doc("Tells the SHA-256 of a file, in hexadecimal."))
	export.Func("demo.list", list,
		export.Doc("Names the files below a directory, each with a zero."))
	export.Func("demo.fetch", fetch,
		export.Doc("Gets a URL and tells its status and the length of its body."))
}

func list(ctx context.Context, directory string) ([]byte, error) {
	var names []byte
	err := filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			names = append(append(names, path...), 0)
		}
		return cmp.Or(err, ctx.Err())
	})
	return names, err
}

func fetch(ctx context.Context, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	n, err := io.Copy(io.Discard, response.Body)
	return fmt.Sprintf("%d %d", response.StatusCode, n), err
}
