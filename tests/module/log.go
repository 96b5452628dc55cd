// SPDX-License-Identifier: Apache-2.0

package module

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"

	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/export"
	"github.com/pillion-dev/pillion/executor/hostlog"
)

// unheard has what the host did not listen to.
var unheard struct {
	sync.Mutex
	text bytes.Buffer
}

type unheardWriter struct{}

func (unheardWriter) Write(line []byte) (int, error) {
	unheard.Lock()
	defer unheard.Unlock()
	return unheard.text.Write(line)
}

var hostLog = slog.New(hostlog.New(slog.NewTextHandler(unheardWriter{}, &slog.HandlerOptions{
	ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	},
})))

type record struct {
	Level int
	Text  string
	Attrs map[string]any
}

func (r record) log(ctx context.Context) {
	var attrs []slog.Attr
	for name, value := range r.Attrs {
		attrs = append(attrs, slog.Any(name, value))
	}
	hostLog.LogAttrs(ctx, slog.Level(r.Level), r.Text, attrs...)
}

type storm struct{ Goroutines, Each, Length int }

func init() {
	export.Func("test.log", func(ctx context.Context, r record) (struct{}, error) {
		r.log(ctx)
		return struct{}{}, nil
	})
	export.Loop("test.loop_log", func(co *coro.Co, r record) (struct{}, error) {
		r.log(context.Background())
		return struct{}{}, nil
	})
	export.Func("test.log_storm", func(_ context.Context, s storm) (struct{}, error) {
		text := strings.Repeat("x", s.Length)
		var storms sync.WaitGroup
		for g := range s.Goroutines {
			storms.Go(func() {
				for i := range s.Each {
					hostLog.Info(text, "g", g, "i", i)
				}
			})
		}
		storms.Wait()
		return struct{}{}, nil
	})
	export.Func("test.log_unheard", func(context.Context, struct{}) (string, error) {
		unheard.Lock()
		defer unheard.Unlock()
		defer unheard.text.Reset()
		return unheard.text.String(), nil
	})
}
