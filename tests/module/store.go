// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/export"
	"github.com/pillion-dev/pillion/executor/future"
)

var (
	errNoRow  = errors.New("there is no such row")
	errClosed = errors.New("the store is closed")

	storesClosed atomic.Int64
)

// store is an object with rows.
type store struct {
	mu     sync.Mutex
	name   string
	rows   map[string]string
	closed bool
}

type storeOptions struct {
	Name string            `json:"name"`
	Rows map[string]string `json:"rows,omitempty"`
}

type row struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

func open(_ context.Context, o storeOptions) (*store, error) {
	if o.Name == "" {
		return nil, errors.New("a store has a name")
	}
	rows := maps.Clone(o.Rows)
	if rows == nil {
		rows = make(map[string]string)
	}
	return &store{name: o.Name, rows: rows}, nil
}

func (s *store) get(key string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return "", errClosed
	}
	if value, ok := s.rows[key]; ok {
		return value, nil
	}
	return "", fmt.Errorf("%q: %w", key, errNoRow)
}

func (s *store) Get(_ context.Context, key string) (string, error) { return s.get(key) }

func (s *store) put(r row) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows[r.Key] = r.Value
}

// all gives the rows in the order of their keys.
func (s *store) all(prefix string) []row {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []row
	for _, key := range slices.Sorted(maps.Keys(s.rows)) {
		if strings.HasPrefix(key, prefix) {
			list = append(list, row{key, s.rows[key]})
		}
	}
	return list
}

func (s *store) Rows(_ context.Context, prefix string) iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		for _, r := range s.all(prefix) {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (s *store) Load(_ context.Context, _ struct{}, rows iter.Seq2[row, error]) (n int, err error) {
	for r, err := range rows {
		if err != nil {
			return n, err
		}
		s.put(r)
		n++
	}
	return n, nil
}

// Each gives each key that it is sent back with its value.
func (s *store) Each(ctx context.Context, _ struct{}, keys iter.Seq2[string, error]) iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		for key, err := range keys {
			r := row{Key: key}
			if err == nil {
				r.Value, err = s.Get(ctx, key)
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// Hold waits until its caller cancels.
func (s *store) Hold(ctx context.Context, _ struct{}) (string, error) {
	waiting.Add(1)
	defer waiting.Add(-1)
	<-ctx.Done()
	return s.name, ctx.Err()
}

// Await waits for test.release, and no cancel changes that.
func (s *store) Await(context.Context, struct{}) (string, error) {
	stubborn.Lock()
	gate := stubborn.gate
	stubborn.Unlock()
	waiting.Add(1)
	defer waiting.Add(-1)
	<-gate
	return s.get("a")
}

func (s *store) Copy(_ context.Context, name string) (export.Ref[*store], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return export.Give(&store{name: name, rows: maps.Clone(s.rows)}), nil
}

// Split gives a store for each row, and then waits if the last key is "wait".
func (s *store) Split(ctx context.Context, prefix string) iter.Seq2[export.Ref[*store], error] {
	return func(yield func(export.Ref[*store], error) bool) {
		for _, r := range s.all(prefix) {
			if !yield(export.Give(&store{name: r.Key, rows: map[string]string{r.Key: r.Value}}), nil) {
				return
			}
		}
	}
}

type merge struct {
	From []export.Ref[*store] `json:"from"`
	Into export.Ref[*counter] `json:"into"`
}

func (s *store) Merge(_ context.Context, m merge) (int, error) {
	n := 0
	for _, from := range m.From {
		if other := from.Object(); other != nil {
			for _, r := range other.all("") {
				s.put(r)
				n++
			}
		}
	}
	if c := m.Into.Object(); c != nil {
		c.n.Add(int64(n))
	}
	return n, nil
}

func (s *store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	storesClosed.Add(1)
	s.closed = true
	switch s.name {
	case "fails":
		return errors.New("the disk is full")
	case "panics":
		panic("the disk is gone")
	}
	return nil
}

// counter is an object without a Close.
type counter struct{ n atomic.Int64 }

func NewCounter(context.Context, struct{}) (*counter, error) { return new(counter), nil }

func (c *counter) Next(_ *coro.Co, by int) (int64, error) { return c.n.Add(int64(by)), nil }

func (c *counter) Ticks(co *coro.Co, n int, out *export.Out[int64]) error {
	for range n {
		if _, err := coro.Await(co, future.Sleep(time.Microsecond)); err != nil {
			return err
		}
		if err := out.Send(co, c.n.Add(1)); err != nil {
			return err
		}
	}
	return nil
}

func init() {
	export.Object("store.Store",
		export.New(open, export.Doc("Opens a store.")),
		export.Method("get", (*store).Get),
		export.Method("hold", (*store).Hold),
		export.Method("await", (*store).Await),
		export.Method("copy", (*store).Copy),
		export.Method("merge", (*store).Merge),
		export.MethodStream("rows", (*store).Rows),
		export.MethodStream("split", (*store).Split),
		export.MethodCollect("load", (*store).Load),
		export.MethodDuplex("each", (*store).Each),
		export.Close((*store).Close),
		export.Errors(errNoRow, errClosed))
	export.Object("store.Counter",
		export.New(NewCounter),
		export.MethodLoop("next", (*counter).Next),
		export.MethodLoopStream("ticks", (*counter).Ticks))
	export.Func("store.closed", func(context.Context, struct{}) (int64, error) { return storesClosed.Load(), nil })
	export.Async("store.counter", func(struct{}) executor.Future[export.Ref[*counter]] {
		return future.Func[export.Ref[*counter]](func(*executor.Context) (export.Ref[*counter], bool, error) {
			return export.Give(new(counter)), true, nil
		})
	})
}
