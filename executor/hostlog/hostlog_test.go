// SPDX-License-Identifier: Apache-2.0

package hostlog_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/slogtest"
	"time"

	"github.com/pillion-dev/pillion/executor/carrier"
	"github.com/pillion-dev/pillion/executor/hostlog"
	"github.com/pillion-dev/pillion/executor/internal/peer"
	"github.com/pillion-dev/pillion/executor/internal/test"
)

func TestMain(m *testing.M) { test.Main(m) }

// listen makes a host that listens from a level on.
func listen(level slog.Level) *peer.Host {
	h := &peer.Host{Level: int(level), Lines: make(chan string, 100)}
	carrier.SetHost(h)
	return h
}

// line is the next one that the host has.
func line(t *testing.T, h *peer.Host) map[string]any {
	t.Helper()
	select {
	case text := <-h.Lines:
		if !strings.HasSuffix(text, "}\n") {
			t.Fatalf("no line: %q", text)
		}
		var fields map[string]any
		if err := json.Unmarshal([]byte(text), &fields); err != nil {
			t.Fatal(err)
		}
		return fields
	default:
		t.Fatal("nothing was logged")
		return nil
	}
}

func TestRecordCrossesAsALine(t *testing.T) {
	h := listen(slog.LevelInfo)
	before := time.Now().UnixNano()
	slog.New(hostlog.New(nil)).With("a", 1).WithGroup("g").Warn("what", "msg", "mine", "err", errors.New("e"))
	got := line(t, h)
	source := got["source"].(map[string]any)
	if at := int64(got["time"].(float64)); at < before-1000 || at > time.Now().UnixNano()+1000 {
		t.Errorf("time is %v", at)
	}
	test.Equal(t, "function", strings.HasSuffix(source["function"].(string), "TestRecordCrossesAsALine"), true)
	test.Equal(t, "file", strings.HasSuffix(source["file"].(string), "hostlog_test.go"), true)
	delete(got, "time")
	delete(got, "source")
	text, _ := json.Marshal(got)
	test.Equal(t, "line", string(text),
		`{"extra":{"a":1,"g":{"err":"e","msg":"mine"}},"level":4,"msg":"what"}`)
}

// The names of attributes are the author's own, also those of the record's fields.
func TestAttributesMayBeNamedAsFieldsAre(t *testing.T) {
	h := listen(slog.LevelInfo)
	slog.New(hostlog.New(nil)).Info("what", "time", "t", "level", "l", "msg", "m", "source", "s", "extra", "e")
	got := line(t, h)
	text, _ := json.Marshal(got["extra"])
	test.Equal(t, "extra", string(text), `{"extra":"e","level":"l","msg":"m","source":"s","time":"t"}`)
	test.Equal(t, "message", got["msg"], any("what"))
}

func TestFallbackGetsWhatTheHostDoesNot(t *testing.T) {
	var text bytes.Buffer
	options := slog.HandlerOptions{Level: slog.LevelWarn, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}
	log := slog.New(hostlog.New(slog.NewTextHandler(&text, &options))).With("a", 1).WithGroup("g")
	at := func(level slog.Level) bool { return log.Enabled(context.Background(), level) }

	h := listen(slog.LevelError) // the fallback has the levels below
	log.Info("info")
	log.Warn("warn", "b", 2)
	log.Error("error")
	test.Equal(t, "levels", [2]bool{at(slog.LevelInfo), at(slog.LevelWarn)}, [2]bool{false, true})
	test.Equal(t, "told", line(t, h)["msg"], any("error"))
	test.Equal(t, "lines", len(h.Lines), 0)

	h.Lines = nil // its loop has ended, and its level is not known to be over
	log.Info("info")
	log.Error("late")
	h.Level = int(slog.LevelInfo)
	log.Info("wanted by a host that is gone")
	carrier.SetHost(&peer.Host{Level: 1 << 30})
	log.Error("later")
	test.Equal(t, "fallback", text.String(),
		"level=WARN msg=warn a=1 g.b=2\nlevel=ERROR msg=late a=1\nlevel=ERROR msg=later a=1\n")
}

func TestWithoutAFallbackAndAHostRecordsAreLost(t *testing.T) {
	carrier.SetHost(&peer.Host{})
	log := slog.New(hostlog.New(nil)).With("a", 1).WithGroup("g")
	log.Error("lost")
	carrier.SetHost(&peer.Host{Level: 1 << 30})
	test.Equal(t, "enabled", log.Enabled(context.Background(), slog.LevelError), false)
	log.Error("lost")
}

func TestHandlerIsOneOfSlogs(t *testing.T) {
	var h *peer.Host
	slogtest.Run(t, func(*testing.T) slog.Handler {
		h = listen(slog.LevelDebug)
		return hostlog.New(nil)
	}, func(t *testing.T) map[string]any {
		got := line(t, h)
		extra, _ := got["extra"].(map[string]any)
		delete(got, "extra")
		for name, value := range extra {
			got[name] = value
		}
		return got
	})
}
