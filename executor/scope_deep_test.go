// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"testing"

	"github.com/pillion-dev/pillion/executor/internal/test"
)

// nested is a task that is alone in the scope of the one before.
type nested struct {
	depth   int
	scope   *Scope
	dropped *int
}

func (n *nested) Poll(cx *Context) (none struct{}, ready bool, err error) {
	if n.scope == nil && n.depth > 0 {
		n.scope = NewScope(cx.local, ScopeConfig{})
		_, err = Spawn(n.scope, Future[struct{}](&nested{depth: n.depth - 1, dropped: n.dropped}))
	}
	return none, err != nil, err
}

func (n *nested) Drop() {
	if n.scope != nil {
		n.scope.Drop()
	}
	*n.dropped++
}

// However a hundred thousand scopes in each other end, their stack suffices.
func TestScopesNestedDeep(t *testing.T) {
	const depth = 100000
	for _, end := range []func(l *Local, h Handle){
		func(l *Local, h Handle) { l.Evict(h) },
		func(l *Local, h Handle) { h.Cancel(); l.Poll(Budget{}) },
		func(l *Local, h Handle) { l.Free() },
	} {
		l := New(Config{})
		dropped := 0
		task, err := Spawn(l, Future[struct{}](&nested{depth: depth, dropped: &dropped}))
		if err != nil {
			t.Fatal(err)
		}
		for range depth + 1 {
			l.Poll(Budget{})
		}
		end(l, task.Handle())
		test.Equal(t, "dropped", dropped, depth+1)
		l.Free()
	}
}
