// SPDX-License-Identifier: Apache-2.0

package export

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/future"
	"github.com/pillion-dev/pillion/executor/internal/test"
	"github.com/pillion-dev/pillion/executor/offload"
)

func TestMain(m *testing.M) { test.Main(m, offload.Blocking().Close, offload.CPUBound().Close) }

type point struct {
	X int     `json:"x"`
	Y float64 `json:"y,omitempty"`
}

type (
	id   string
	blob []byte
)

type upper struct{}

func (upper) Name() string { return "upper" }
func (upper) Decode(b []byte, into any) error {
	*into.(*string) = strings.ToUpper(string(b))
	return nil
}
func (upper) Encode(v any) ([]byte, error) { return []byte(v.(string) + "!"), nil }

func init() {
	Func("test.raw", func(_ context.Context, b []byte) ([]byte, error) { return b, nil })
	Func("test.text", func(_ context.Context, s string) (string, error) { return "<" + s + ">", nil }, Doc("Text in brackets."))
	Func("test.id", func(_ context.Context, i id) (id, error) { return i + "!", nil })
	Func("test.blob", func(_ context.Context, b blob) (blob, error) { return append(b, 0), nil })
	Func("test.at", func(_ context.Context, t time.Time) (time.Time, error) { return t.Add(time.Second), nil })
	Func("test.size", func(_ context.Context, i id) (int, error) { return len(i), nil })
	Func("test.none", func(context.Context, struct{}) (struct{}, error) { return struct{}{}, nil })
	Func("test.swap", func(_ context.Context, p point) (point, error) { return point{int(p.Y), float64(p.X)}, nil }, CPUBound())
	Func("test.upper", func(_ context.Context, s string) (string, error) { return s, nil }, WithCodec(upper{}))
	Func("test.coded", func(context.Context, string) (string, error) {
		return "", fmt.Errorf("outer: %w", WithCode(errors.New("inner"), 7))
	})
	Func("test.panic", func(context.Context, string) (string, error) { panic("no") })
	Func("test.goexit", func(context.Context, string) (string, error) { runtime.Goexit(); return "", nil })
	Func("test.unencodable", func(context.Context, string) (map[string]any, error) {
		return map[string]any{"f": func() {}}, nil
	})
	Func("test.ctx", func(ctx context.Context, _ string) (string, error) { return "", ctx.Err() })
	Loop("test.loop", func(co *coro.Co, p point) (int, error) {
		_, err := coro.Await(co, future.Sleep(time.Nanosecond))
		return p.X + 1, err
	})
}

// call runs an offloaded function.
func call(ctx context.Context, name, request string) (response []byte, err error) {
	Lookup(name).Run(ctx, []byte(request), nil, func(r []byte, e error) { response, err = r, e })
	return response, err
}

func TestCall(t *testing.T) {
	for _, c := range []struct{ name, request, response string }{
		{"test.raw", "a\x00b", "a\x00b"},
		{"test.text", "a", "<a>"},
		{"test.none", "", ""},
		{"test.id", `"a`, `"a!`},
		{"test.blob", "a\xff", "a\xff\x00"},
		{"test.at", "2026-11-28T12:00:00Z", "2026-11-28T12:00:01Z"},
		{"test.size", "abc", "3"},
		{"test.swap", `{"x":1,"y":2}`, `{"x":2,"y":1}`},
		{"test.upper", "a", "A!"},
	} {
		b, err := call(t.Context(), c.name, c.request)
		test.Equal(t, c.name, err, nil)
		test.Equal(t, c.name, string(b), c.response)
	}
}

func TestCallErrors(t *testing.T) {
	call := func(name, request string) error {
		b, err := call(t.Context(), name, request)
		test.Equal(t, "response with an error", b == nil, err != nil)
		return err
	}
	err := call("test.coded", "")
	test.Equal(t, "code", Code(err), 7)
	test.Equal(t, "message", err.Error(), "outer: inner")
	test.Equal(t, "code of another", Code(errors.New("x")), 0)
	test.Equal(t, "code on nil", WithCode(nil, 7), nil)
	test.Equal(t, "malformed", errors.Is(call("test.swap", "{"), ErrRequest), true)
	test.Equal(t, "no time", errors.Is(call("test.at", "noon"), ErrRequest), true)
	test.Equal(t, "unencodable", errors.Is(call("test.unencodable", ""), ErrResponse), true)
	test.Equal(t, "kind", call("test.loop", "{}"), ErrKind)
	var pe *executor.PanicError
	test.Equal(t, "panic", errors.As(call("test.panic", ""), &pe), true)
	test.Equal(t, "stack", strings.Contains(string(pe.Stack), "export_test.go"), true)
}

func TestCancelledContextReachesTheFunction(t *testing.T) {
	c := new(offload.Context)
	c.Cancel()
	_, err := call(c, "test.ctx", "")
	test.Equal(t, "error", err, context.Canceled)
}

func TestRunAnswersOnceOnGoexit(t *testing.T) {
	answers := make(chan error, 2)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		Lookup("test.goexit").Run(context.Background(), nil, nil, func(_ []byte, err error) { answers <- err })
	}()
	<-ended
	test.Equal(t, "answers", len(answers), 1)
	test.Equal(t, "error", <-answers, executor.ErrGoexit)
}

func TestStartOfEveryKind(t *testing.T) {
	wake := make(host, 1)
	l := executor.New(executor.Config{Host: wake})
	defer l.Free()
	for _, c := range []struct{ name, request, response string }{
		{"test.text", "a", "<a>"},
		{"test.swap", `{"x":1,"y":2}`, `{"x":2,"y":1}`},
		{"test.loop", `{"x":1}`, "2"},
		{"test.async", `{"x":1}`, "2"},
	} {
		task, _ := executor.Spawn(l, Lookup(c.name).Start([]byte(c.request), nil))
		for {
			p, _ := l.Poll(executor.Budget{})
			if p.Live == 0 {
				break
			}
			if !p.More && p.Deadline == executor.Never {
				<-wake
			}
		}
		b, err := task.Result()
		test.Equal(t, c.name, err, nil)
		test.Equal(t, c.name, string(b), c.response)
	}
}

type host chan struct{}

func (h host) Wake() error {
	select {
	case h <- struct{}{}:
	default:
	}
	return nil
}

func TestDescriptors(t *testing.T) {
	const p = `{"struct":[{"name":"x","type":"int"},{"name":"y","type":"float","omit":true}]}`
	for name, want := range map[string]string{
		"test.raw":   `{"name":"raw","module":"test","kind":"offload","codec":"raw","request":"bytes","response":"bytes","doc":""}`,
		"test.text":  `{"name":"text","module":"test","kind":"offload","codec":"raw","request":"string","response":"string","doc":"Text in brackets."}`,
		"test.none":  `{"name":"none","module":"test","kind":"offload","codec":"raw","request":"none","response":"none","doc":""}`,
		"test.id":    `{"name":"id","module":"test","kind":"offload","codec":"raw","request":"string","response":"string","doc":""}`,
		"test.at":    `{"name":"at","module":"test","kind":"offload","codec":"raw","request":"string","response":"string","doc":""}`,
		"test.size":  `{"name":"size","module":"test","kind":"offload","codec":"json","request":"string","response":"int","doc":""}`,
		"test.swap":  `{"name":"swap","module":"test","kind":"cpu","codec":"json","request":` + p + `,"response":` + p + `,"doc":""}`,
		"test.upper": `{"name":"upper","module":"test","kind":"offload","codec":"upper","request":"string","response":"string","doc":""}`,
		"test.async": `{"name":"async","module":"test","kind":"async","codec":"json","request":` + p + `,"response":"int","doc":""}`,
		"test.loop":  `{"name":"loop","module":"test","kind":"loop","codec":"json","request":` + p + `,"response":"int","doc":""}`,
	} {
		test.Equal(t, name, Lookup(name).Descriptor(), want)
	}
}

func TestTypeDescriptions(t *testing.T) {
	type node struct {
		point
		Next *node
		At   time.Time
		Tags map[string][]string `json:"tags"`
		Skip int                 `json:"-"`
		Any  json.RawMessage
		own  int
	}
	b, _ := json.Marshal(describe[node]())
	test.Equal(t, "description", string(b), `{"struct":[{"name":"x","type":"int"},{"name":"y","type":"float","omit":true},`+
		`{"name":"Next","type":{"optional":"any"}},{"name":"At","type":"string"},`+
		`{"name":"tags","type":{"map":{"list":"string"}}},{"name":"Any","type":"any"}]}`)
}

type (
	parsed  struct{ at time.Time }
	level   int
	written int
)

func (p *parsed) UnmarshalJSON([]byte) error    { return nil }
func (l *level) UnmarshalText([]byte) error     { return nil }
func (w *written) MarshalJSON() ([]byte, error) { return nil, nil }

func TestTypesWithAFormOfTheirOwnByTheirPointerAreAny(t *testing.T) {
	type all struct {
		A parsed
		B *level
		C []written
		D big.Int
		E big.Float
	}
	b, _ := json.Marshal(describe[all]())
	test.Equal(t, "description", string(b), `{"struct":[{"name":"A","type":"any"},{"name":"B","type":{"optional":"any"}},`+
		`{"name":"C","type":{"list":"any"}},{"name":"D","type":"any"},{"name":"E","type":"any"}]}`)
}

func TestFunctionsAreSorted(t *testing.T) {
	var names []string
	for _, f := range Functions() {
		names = append(names, f.Module+"."+f.Name)
	}
	test.Equal(t, "sorted", slices.IsSorted(names), true)
	test.Equal(t, "count", len(names), 43)
	test.Equal(t, "unknown", Lookup("test.unknown"), nil)
}

func TestMistakesAreTold(t *testing.T) {
	fn := func(context.Context, string) (string, error) { return "", nil }
	raw := Lookup("test.raw")
	for _, c := range []struct {
		want     string
		register func()
	}{
		{`"test.raw": the name is taken by ` + raw.place, func() { Func("test.raw", fn) }},
		{`"plain": the name is not of the form module.function`, func() { Func("plain", fn) }},
		{`"a.b.c": the name is not of the form module.function`, func() { Func("a.b.c", fn) }},
		{`"a.b-c": the name is not of the form module.function`, func() { Func("a.b-c", fn) }},
		{`"a.b\x00c": the name is not of the form module.function`, func() { Func("a.b\x00c", fn) }},
		{`"a.b\n": the name is not of the form module.function`, func() { Func("a.b\n", fn) }},
		{`"test.cpu": a function on the loop can't be CPU-bound`, func() {
			Loop("test.cpu", func(*coro.Co, string) (string, error) { return "", nil }, CPUBound())
		}},
		{`"test.cpu": a future can't be CPU-bound`, func() {
			Async("test.cpu", func(string) executor.Future[string] { return nil }, CPUBound())
		}},
		{`"test.gone": the function is nil`, func() { Func[string, string]("test.gone", nil) }},
		{`"test.gone": the function is nil`, func() { Loop[string, string]("test.gone", nil) }},
		{`"test.gone": the function is nil`, func() { Async[string, string]("test.gone", nil) }},
		{`"test.chan": a request of type chan int has no JSON form`, func() {
			Func("test.chan", func(context.Context, chan int) (string, error) { return "", nil })
		}},
		{`"test.chan": a response of type func() has no JSON form`, func() {
			Func("test.chan", func(context.Context, string) (func(), error) { return nil, nil })
		}},
		{`"test.option": panic in an option: runtime error: invalid memory address or nil pointer dereference`, func() {
			Func("test.option", fn, Doc(""), nil)
		}},
		{`"test.codec": panic in an option: runtime error: invalid memory address or nil pointer dereference`, func() {
			Func("test.codec", fn, WithCodec((*named)(nil)))
		}},
	} {
		before := len(Functions())
		_, file, line, _ := runtime.Caller(0)
		c.register()
		test.Equal(t, "functions", len(Functions()), before)
		text := Err().Error()
		text = text[strings.LastIndex(text, "\n")+1:]
		place, text, _ := strings.Cut(text, ": export: ")
		test.Equal(t, "mistake", text, c.want)
		test.Equal(t, "file of "+text, strings.HasPrefix(place, file+":"), true)
		var at int
		fmt.Sscan(place[len(file)+1:], &at)
		test.Equal(t, "line before this of "+text, at < line && at > line-60, true)
	}
	test.Equal(t, "the first", Lookup("test.raw"), raw)
}

type named struct {
	upper
	name string
}

func (n *named) Name() string { return n.name }

func TestRawCallAllocatesNothing(t *testing.T) {
	f := Lookup("test.raw")
	payload := []byte("payload")
	done := func([]byte, error) {}
	ctx := new(offload.Context)
	if n := testing.AllocsPerRun(100, func() { f.Run(ctx, payload, nil, done) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkCallRaw is a call of a function that takes and gives bytes.
func BenchmarkCallRaw(b *testing.B) {
	f := Lookup("test.raw")
	payload := []byte("payload")
	done := func([]byte, error) {}
	ctx := new(offload.Context)
	for b.Loop() {
		f.Run(ctx, payload, nil, done)
	}
}
