// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"errors"
	"iter"
	"strconv"
	"strings"

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
