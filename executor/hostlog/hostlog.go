// SPDX-License-Identifier: Apache-2.0

// Package hostlog has Go functions log into the log of their host.
//
//	func init() { slog.SetDefault(slog.New(hostlog.New(nil))) }
//
// In Python the host listens by Library.log_to, in C by pillion_log_take.
package hostlog

import (
	"context"
	"errors"
	"log/slog"
	"math"

	"github.com/pillion-dev/pillion/executor/carrier"
)

var errUnheard = errors.New("hostlog: the host does not listen")

// handler has a handler of JSON, whose lines go to the host, and the fallback.
type handler struct{ toHost, fallback slog.Handler }

// New gives a handler that sends its records to the host, of the levels that the host
// wants. Without a host that listens they go to fallback, and are lost if that is nil.
// Don't take slog.Default().Handler() for it: that one logs by the default logger again.
//
// The handler never waits for the host. If records come faster than the host takes them,
// some are lost, and the host's log counts them.
func New(fallback slog.Handler) slog.Handler {
	if fallback == nil {
		fallback = slog.DiscardHandler
	}
	toHost := slog.NewJSONHandler(host{}, &slog.HandlerOptions{
		AddSource:   true,
		Level:       slog.Level(math.MinInt),
		ReplaceAttr: plain,
	})
	return handler{toHost.WithGroup("extra"), fallback}
}

// plain makes numbers of a record's time and level.
func plain(groups []string, a slog.Attr) slog.Attr {
	switch {
	case len(groups) > 0: // one of the author's
	case a.Key == slog.TimeKey:
		a.Value = slog.Int64Value(a.Value.Time().UnixNano())
	case a.Key == slog.LevelKey:
		a.Value = slog.IntValue(int(a.Value.Any().(slog.Level)))
	}
	return a
}

// host takes the lines.
type host struct{}

func (host) Write(line []byte) (int, error) {
	if h := carrier.CurrentHost(); h != nil && h.Log(line) {
		return len(line), nil
	}
	return 0, errUnheard
}

func wanted(level slog.Level) bool {
	h := carrier.CurrentHost()
	return h != nil && int(level) >= h.LogLevel()
}

// Enabled implements [slog.Handler].
func (h handler) Enabled(ctx context.Context, level slog.Level) bool {
	return wanted(level) || h.fallback.Enabled(ctx, level)
}

// Handle implements [slog.Handler].
func (h handler) Handle(ctx context.Context, r slog.Record) error {
	if wanted(r.Level) && h.toHost.Handle(ctx, r) == nil {
		return nil
	}
	if !h.fallback.Enabled(ctx, r.Level) {
		return nil
	}
	return h.fallback.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.toHost.WithAttrs(attrs), h.fallback.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (h handler) WithGroup(name string) slog.Handler {
	return handler{h.toHost.WithGroup(name), h.fallback.WithGroup(name)}
}
