// SPDX-License-Identifier: Apache-2.0

package cell

import (
	"reflect"
	"testing"
)

// C has the same cells.
func TestCellLayout(t *testing.T) {
	cell := reflect.TypeFor[Cell]()
	if cell.Size() != 64 {
		t.Errorf("%d bytes", cell.Size())
	}
	for name, offset := range map[string]uintptr{"Gen": 0, "Pend": 8, "next": 16} {
		if f, ok := cell.FieldByName(name); !ok || f.Offset != offset {
			t.Errorf("%s is at %d", name, f.Offset)
		}
	}
}
