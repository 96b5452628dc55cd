// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/export"
	"github.com/pillion-dev/pillion/foreign/js"
)

func init() {
	export.Loop("wasm.block", func(*coro.Co, struct{}) (struct{}, error) {
		<-make(chan struct{})
		return struct{}{}, nil
	}, export.Doc("Blocks the loop, which ends the program."))
	export.Func("wasm.crash", func(context.Context, struct{}) (struct{}, error) {
		go func() { panic("in a goroutine") }()
		select {}
	}, export.Doc("Panics where nothing contains it."))
	export.Func("wasm.exit", func(context.Context, struct{}) (struct{}, error) {
		os.Exit(3)
		return struct{}{}, nil
	})
	export.Loop("wasm.fetch", func(co *coro.Co, url string) (string, error) {
		r, err := coro.Await(co, js.Fetch(js.Request{URL: url, Header: map[string]string{"x-go": "ä"}}))
		return fmt.Sprint(r.Status, " ", r.Header["content-type"], " ", len(r.Body)), err
	}, export.Doc("Fetches, and tells the status, the type and the length."))
	export.Loop("wasm.post", func(co *coro.Co, url string) (string, error) {
		r, err := coro.Await(co, js.Fetch(js.Request{Method: "POST", URL: url, Body: []byte("body")}))
		return string(r.Body), err
	})
	export.Func("wasm.started", func(_ context.Context, ms int) (struct{}, error) {
		go func() {
			time.Sleep(time.Duration(ms) * time.Millisecond)
			waiting.Add(-1)
		}()
		waiting.Add(1)
		return struct{}{}, nil
	}, export.Doc("Leaves a goroutine behind that sleeps."))
}
