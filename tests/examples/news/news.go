// SPDX-License-Identifier: Apache-2.0

// Package news is an example of the log: what Go logs by slog comes into its host's.
package news

import (
	"context"
	"log/slog"
	"os"

	"github.com/pillion-dev/pillion/executor/export"
	"github.com/pillion-dev/pillion/executor/hostlog"
)

func init() {
	// Without a host that listens: to stderr, from warnings on.
	quiet := slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})
	slog.SetDefault(slog.New(hostlog.New(quiet)))
	export.Func("news.update", update, export.Doc("Updates a feed, and logs what it does."))
}

func update(ctx context.Context, feed string) (struct{}, error) {
	log := slog.With("feed", feed)
	log.DebugContext(ctx, "looks for news")
	log.InfoContext(ctx, "updated", "items", 3)
	log.WarnContext(ctx, "an item has no date", slog.Group("item", "id", 7, "title", "Go"))
	return struct{}{}, nil
}
