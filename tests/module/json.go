// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"time"

	"github.com/pillion-dev/pillion/executor/export"
)

type id string

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
}
