// SPDX-License-Identifier: Apache-2.0

// Package table is an example of an object: a table in a CSV file, which stays open
// between the calls of its methods. Its rows are a stream.
package table

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"iter"
	"math"
	"os"
	"sync"

	"github.com/pillion-dev/pillion/executor/export"
)

func init() {
	export.Object("table.Table",
		export.New(open, export.Doc("Opens a CSV file, whose first line names the columns.")),
		export.Method("insert", (*table).insert),
		export.MethodStream("select", (*table).choose),
		export.Close((*table).close)) // when the host has dropped it, and no method runs
}

type row map[string]string

type table struct {
	mu      sync.Mutex // several methods may run at a time
	file    *os.File
	columns []string
}

func open(_ context.Context, path string) (*table, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return nil, err
	}
	columns, err := csv.NewReader(file).Read()
	if err != nil {
		file.Close()
		return nil, err
	}
	return &table{file: file, columns: columns}, nil
}

func (t *table) close() error { return t.file.Close() }

func (t *table) insert(_ context.Context, r row) (struct{}, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var fields []string
	for _, column := range t.columns {
		fields = append(fields, r[column])
	}
	out := csv.NewWriter(t.file)
	_ = out.Write(fields)
	out.Flush()
	return struct{}{}, out.Error()
}

// choose gives the rows that have these values in these columns.
func (t *table) choose(_ context.Context, where row) iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		in := csv.NewReader(io.NewSectionReader(t.file, 0, math.MaxInt64))
		for line := 0; ; line++ {
			fields, err := in.Read()
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(nil, fmt.Errorf("row %d: %w", line, err))
				return
			}
			if r := t.row(fields); line > 0 && r.matches(where) && !yield(r, nil) {
				return // the host has cancelled
			}
		}
	}
}

func (t *table) row(fields []string) row {
	r := make(row)
	for i, column := range t.columns {
		r[column] = fields[i]
	}
	return r
}

func (r row) matches(where row) bool {
	for column, value := range where {
		if r[column] != value {
			return false
		}
	}
	return true
}
