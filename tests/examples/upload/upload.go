// SPDX-License-Identifier: Apache-2.0

// Package upload is an example of items from the caller, and of a signal to it: the
// caller's chunks become the body of an HTTP request.
package upload

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"iter"
	"net/http"

	"github.com/pillion-dev/pillion/executor/export"
)

type request struct {
	URL      string
	Progress export.Signal[int64] // bytes that the server has taken
}

type result struct {
	Bytes  int64
	SHA256 string
}

func init() {
	export.Collect("upload.put", put, export.Doc("Uploads chunks of bytes to a URL."))
}

func put(ctx context.Context, r request, chunks iter.Seq2[[]byte, error]) (result, error) {
	body, feed := io.Pipe()
	answered := make(chan error, 1)
	go func() {
		err := send(ctx, r.URL, body)
		body.CloseWithError(err) // the writer stops, too
		answered <- err
	}()
	hash, done := sha256.New(), result{}
	err := func() error {
		for chunk, err := range chunks {
			if err == nil {
				_, err = feed.Write(chunk)
			}
			if err != nil {
				return err
			}
			hash.Write(chunk)
			done.Bytes += int64(len(chunk))
			r.Progress.Latest(done.Bytes) // never waits for a caller that is slow to draw
		}
		return nil
	}()
	feed.CloseWithError(err) // nil: the end of the body
	if e := <-answered; e != nil {
		return result{}, e
	}
	done.SHA256 = hex.EncodeToString(hash.Sum(nil))
	return done, err
}

func send(ctx context.Context, url string, body io.Reader) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, url, body)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode >= 300 {
		return fmt.Errorf("the server answers %s", answer.Status)
	}
	return nil
}
