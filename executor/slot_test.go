// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"errors"
	"testing"

	"github.com/pillion-dev/pillion/executor/internal/cell"
	"github.com/pillion-dev/pillion/executor/internal/test"
)

type badArena struct {
	base uint32
	n    int
	err  error
}

func (a badArena) Lease() (uint32, []cell.Cell, error) { return a.base, make([]cell.Cell, a.n), a.err }
func (badArena) Return(uint32)                         {}

func TestSpawnFailsWithItsArena(t *testing.T) {
	cause := errors.New("no memory")
	other := newRig(t)
	taken := mustSpawn[int](t, other.Local, new(probe)).slot &^ cell.Mask
	for _, a := range []badArena{
		{err: cause}, {base: 1, n: cell.Chunk}, {base: 1 << 24, n: cell.Chunk}, {n: 3},
		{base: taken, n: cell.Chunk},
	} {
		l := New(Config{Arena: a})
		p := new(probe)
		_, err := Spawn[int](l, p)
		if err == nil || a.err != nil && err != cause {
			t.Fatalf("error: %v", err)
		}
		test.Equal(t, "live", l.Live(), 0)
		l.Poll(Budget{})
		p.Want(t, 0, 0)
		l.Free()
	}
}
