// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/pillion-dev/pillion/executor/internal/test"
)

// world is tasks with scopes that do to each other whatever can be done.
type world struct {
	*rig
	rnd   *rand.Rand
	nodes []*node
	stack []*node // the tasks in their polls or drops
}

// node is a future that owns a scope.
type node struct {
	w       *world
	task    Task[int]
	parent  *node // nil once detached
	scope   *Scope
	depth   int
	shields int
	unwound bool
	turns   int
	polls   int
	drops   int
	dones   int
	waker   Waker
}

func (w *world) spawn(parent *node) {
	n := &node{w: w, parent: parent, turns: w.rnd.IntN(4)}
	n.scope = NewScope(w.Local, ScopeConfig{Limit: w.rnd.IntN(3), Stream: w.rnd.IntN(2) == 0})
	done := OnDone[int](func(int, error, Outcome) { n.dones++ })
	var err error
	if parent == nil {
		err = n.task.Spawn(w.Local, n, done)
	} else {
		n.depth = parent.depth + 1
		err = n.task.Spawn(parent.scope, n, done)
	}
	if err == nil {
		w.nodes = append(w.nodes, n)
	} else if !errors.Is(err, ErrClosed) {
		w.t.Fatal(err)
	}
}

func (w *world) any() *node { return w.nodes[w.rnd.IntN(len(w.nodes))] }

// act does one thing to somebody. It may be n itself that is being polled.
func (w *world) act(n *node) {
	other := w.any()
	switch w.rnd.IntN(12) {
	case 0, 1, 2:
		if n.depth < 4 && len(w.nodes) < 60 {
			w.spawn(n)
		}
	case 3:
		other.task.Cancel()
	case 4:
		w.Evict(other.task.Handle())
	case 5:
		w.WakeLocal(other.waker)
	case 6:
		other.waker.Wake()
	case 7:
		if other.drops == 0 {
			other.scope.Cancel(nil)
		}
	case 8:
		if other.drops == 0 {
			other.task.Detach()
			other.parent = nil
		}
	case 9:
		w.cancelWith(&other.task.task, ErrTimedOut)
	case 10:
		n.scope.Drop()
	case 11:
		w.spawn(nil)
	}
}

func (n *node) Poll(cx *Context) (int, bool, error) {
	w := n.w
	n.polls++
	n.waker = cx.Waker()
	switch {
	case n.drops > 0:
		w.t.Fatal("polled after its drop")
	case len(w.stack) > 0:
		w.t.Fatal("polled inside of another poll")
	case cx.local.current != &n.task.task:
		w.t.Fatal("the current task is another")
	}
	w.stack = append(w.stack, n)
	defer func() { w.stack = w.stack[:len(w.stack)-1] }()
	if p := n.parent; p != nil && p.scope.config.Limit > 0 {
		running := 0
		for _, m := range w.nodes {
			if m.parent == p && m.polls > 0 && m.drops == 0 {
				running++
			}
		}
		if running > p.scope.config.Limit {
			w.t.Fatalf("%d run of at most %d", running, p.scope.config.Limit)
		}
	}
	for range w.rnd.IntN(4) {
		w.act(n)
		if cx.local.current != &n.task.task {
			w.t.Fatal("the current task has changed")
		}
	}
	if n.shields > 0 || w.rnd.IntN(4) == 0 {
		on := n.shields == 0 || w.rnd.IntN(3) == 0
		cx.Shield(on)
		if on {
			n.shields++
		} else {
			n.shields--
		}
	}
	if n.unwound {
		n.turns--
	}
	cx.WakeSelf()
	switch w.rnd.IntN(20) {
	case 0:
		panic(errFirst)
	case 1, 2:
		return n.polls, true, errFirst
	case 3, 4, 5:
		return n.polls, true, nil
	}
	return 0, n.unwound && n.turns <= 0, nil
}

func (n *node) Unwind(cx *Context) (bool, error) {
	if n.shields > 0 || n.unwound || n.polls == 0 {
		n.w.t.Fatal("unwound at the wrong time")
	}
	n.unwound = true
	cx.WakeSelf()
	return n.turns == 0, nil
}

func (n *node) Drop() {
	w := n.w
	n.drops++
	if w.rnd.IntN(4) == 0 {
		w.act(n)
	}
	n.scope.Drop()
	polling := make(map[*node]bool)
	for _, m := range w.stack {
		polling[m] = true
	}
	for _, m := range w.nodes {
		if m.parent == n && m.drops == 0 && !polling[m] {
			w.t.Fatal("a child has outlived its scope")
		}
	}
}

func TestScopesInAnyOrder(t *testing.T) {
	for seed := range uint64(400) {
		w := &world{rig: newRig(t), rnd: rand.New(rand.NewPCG(seed, 1))}
		w.spawn(nil)
		for range 60 {
			if w.Live() == 0 {
				w.spawn(nil)
			}
			w.act(w.any())
			w.Poll(Budget{})
		}
		if seed%2 == 0 {
			w.Close(CloseCancel)
			for range 1000 {
				w.Poll(Budget{})
			}
			test.Equal(t, "live after a cancel", w.Live(), 0)
		}
		w.rig.Free()
		test.Equal(t, "live", w.Live(), 0)
		for _, n := range w.nodes {
			if n.drops != 1 || n.dones != 1 || !n.task.Done() || n.scope.head != nil || n.scope.running != 0 {
				t.Fatalf("seed %d: %d drops, %d ends, %d children run", seed, n.drops, n.dones, n.scope.running)
			}
		}
	}
}
