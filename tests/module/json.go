// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/pillion-dev/pillion/executor"

	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/export"
	"github.com/pillion-dev/pillion/executor/future"
)

type id string

// tree has each kind of type that a descriptor knows.
type tree struct {
	Bool   bool             `json:"bool"`
	Int    int64            `json:"int"`
	Float  float64          `json:"float"`
	Text   string           `json:"text"`
	Bytes  []byte           `json:"bytes"`
	None   struct{}         `json:"none"`
	List   [][]string       `json:"list"`
	Map    map[string][]int `json:"map"`
	Maybe  *pair            `json:"maybe"`
	Any    any              `json:"any"`
	Absent *int             `json:"absent,omitempty"`
}

// same registers a function that gives its request back.
func same[T any](kind string) {
	export.Func("test.same_"+kind, func(_ context.Context, v T) (T, error) { return v, nil })
}

// shout is a codec of its own.
type shout struct{}

func (shout) Name() string { return "shout" }
func (shout) Decode(data []byte, into any) error {
	*into.(*string) = strings.ToUpper(string(data))
	return nil
}
func (shout) Encode(v any) ([]byte, error) { return []byte(v.(string) + "!"), nil }

// Functions whose codec is JSON, with one side that is not JSON: text, bytes or nothing
// cross as they are.
func init() {
	export.Func("test.json_none", func(context.Context, pair) (struct{}, error) { return struct{}{}, nil })
	export.Func("test.json_digits", func(context.Context, pair) (string, error) { return "123", nil })
	export.Func("test.json_bytes", func(_ context.Context, p pair) ([]byte, error) { return []byte{byte(p.A), byte(p.B)}, nil })
	export.Func("test.json_number", func(_ context.Context, p pair) (int, error) { return p.A * p.B, nil })
	export.Func("test.json_length", func(_ context.Context, s string) (sum, error) { return sum{len(s)}, nil })
	export.Func("test.json_size", func(_ context.Context, b []byte) (sum, error) { return sum{len(b)}, nil })
	export.Func("test.json_seven", func(context.Context, struct{}) (sum, error) { return sum{7}, nil })
	export.Func("test.json_id", func(_ context.Context, i id) (id, error) { return i + "!", nil })
	export.Func("test.json_time", func(_ context.Context, t time.Time) (time.Time, error) { return t.Add(time.Second), nil })
	export.Func("test.json_maybe", func(_ context.Context, s *string) (*string, error) { return s, nil })

	same[bool]("bool")
	same[int64]("int")
	same[float64]("float")
	same[string]("string")
	same[[]byte]("bytes")
	same[struct{}]("none")
	same[[]int]("list")
	same[map[string]string]("map")
	same[pair]("pair")
	same[tree]("tree")
	same[*string]("maybe_string")
	same[*[]byte]("maybe_bytes")
	same[*struct{}]("maybe_none")
	same[*tree]("maybe_tree")
	same[any]("any")
	same[json.RawMessage]("raw_json")
	same[*big.Int]("big")

	export.Func("test.json_text", func(_ context.Context, b []byte) (string, error) { return string(b), nil })
	export.Func("test.json_shout", func(_ context.Context, s string) (string, error) { return s, nil }, export.WithCodec(shout{}))
	export.Func("test.json_picky", func(_ context.Context, p pair) (sum, error) {
		return sum{}, export.WithCode(fmt.Errorf("%w: no two are %v", export.ErrRequest, p), 7)
	})
	export.Func("test.json_unsaid", func(context.Context, pair) (any, error) { return func() {}, nil })
	export.Loop("test.json_loop", func(_ *coro.Co, p pair) (sum, error) { return sum{p.A + p.B}, nil })
	export.Async("test.json_async", func(p pair) executor.Future[sum] {
		return future.Func[sum](func(*executor.Context) (sum, bool, error) { return sum{p.A + p.B}, true, nil })
	})
}
