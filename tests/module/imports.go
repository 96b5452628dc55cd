// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"errors"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/export"
	"github.com/pillion-dev/pillion/executor/imports"
)

var (
	fetch = imports.Func[string, string]("app.Http", "fetch")
	other = imports.Func[string, string]("app.Http", "other")
	feed  = imports.Func[string, string]("app.Http", "feed")
	join  = imports.Collect[string, string, string]("app.Http", "join")
)

func init() {
	export.Func("import.fetch", func(ctx context.Context, s string) (string, error) { return fetch.Call(ctx, s) },
		export.Doc("Gives what app.Http.fetch answers."))
	export.Func("import.other", func(ctx context.Context, s string) (string, error) { return other.Call(ctx, s) })
	export.Func("import.fetch_often", fetchOften, export.Doc("Gives the nanoseconds of one app.Http.fetch of many."))
	export.Loop("import.loop_fetch", func(co *coro.Co, s string) (string, error) { return coro.Await(co, fetch.Start(s)) })
	export.Async("import.async_fetch", func(s string) executor.Future[string] { return fetch.Start(s) })
	export.Stream("import.feed", func(ctx context.Context, s string) iter.Seq2[string, error] { return feed.Range(ctx, s) },
		export.Doc("Gives what app.Http.feed gives."))
	export.Func("import.some", func(ctx context.Context, s string) (string, error) {
		most, s, _ := strings.Cut(s, " ")
		n, err := strconv.Atoi(most)
		var all []string
		for item, ferr := range feed.Range(ctx, s) {
			if err = errors.Join(err, ferr); err != nil {
				break
			}
			if all = append(all, item); len(all) == n {
				break
			}
		}
		return strings.Join(all, " "), err
	}, export.Doc("Joins so many items of app.Http.feed, then it breaks."))
	export.Func("import.join", func(ctx context.Context, s string) (string, error) {
		return join.Call(ctx, s, func(yield func(string, error) bool) {
			waiting.Add(1)
			defer waiting.Add(-1)
			for _, w := range strings.Fields(s) {
				if w == "bad" {
					yield("", errors.New(w))
					return
				}
				if !yield(w, nil) {
					return
				}
			}
		})
	}, export.Doc("Sends the words to app.Http.join, up to one that is bad, and gives its answer."))
}

// often is how many goroutines fetch, and how many times each.
type often struct{ InFlight, Times int }

func fetchOften(ctx context.Context, o often) (float64, error) {
	failures := make(chan error, o.InFlight)
	start := time.Now()
	for range o.InFlight {
		go func() {
			var err error
			for i := 0; i < o.Times && err == nil; i++ {
				_, err = fetch.Call(ctx, "x")
			}
			failures <- err
		}()
	}
	var err error
	for range o.InFlight {
		err = errors.Join(err, <-failures)
	}
	return float64(time.Since(start).Nanoseconds()) / float64(o.InFlight*o.Times), err
}
