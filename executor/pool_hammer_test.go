// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pillion-dev/pillion/executor/internal/test"
)

// tokens is a future that is ready when it was given all its tokens. Its fields
// that aren't atomic are for the race detector: polls come one after the other.
type tokens struct {
	given atomic.Int32
	waker atomic.Uint64
	inside,
	drops atomic.Int32
	want        int32
	seen, polls int
	t           *testing.T
}

func (k *tokens) enter() {
	if k.inside.Add(1) != 1 {
		k.t.Error("polled or dropped by two at once")
	}
}

func (k *tokens) Poll(cx *Context) (int, bool, error) {
	k.enter()
	defer k.inside.Add(-1)
	k.polls++
	k.waker.Store(uint64(cx.Waker()))
	k.seen = int(k.given.Load())
	if k.seen%5 == 4 {
		cx.WakeSelf()
	}
	return k.seen, int32(k.seen) == k.want, nil
}

func (k *tokens) Drop() {
	k.enter()
	k.drops.Add(1)
	k.inside.Add(-1)
}

func (k *tokens) give() {
	k.given.Add(1)
	if w := Waker(k.waker.Load()); w != 0 {
		w.Wake()
	}
}

func TestPoolLosesNoWake(t *testing.T) {
	const tasks, each, wakers = 300, 20, 4
	p := NewPool(PoolConfig{})
	if err := p.Start(3); err != nil {
		t.Fatal(err)
	}
	all := make([]tokens, tasks)
	handles := make([]*Task[int], tasks)
	var finished atomic.Int32
	var ended, others sync.WaitGroup
	ended.Add(tasks)
	for i := range all {
		all[i].t, all[i].want = t, each*wakers
		handles[i] = mustSpawn(t, p, &all[i], OnDone[int](func(v int, err error, o Outcome) {
			if v != each*wakers || err != nil || o != Returned {
				t.Error(v, err, o)
			}
			finished.Add(1)
			ended.Done()
		}))
	}
	for w := range wakers {
		others.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(w)))
			for range each {
				for _, i := range random.Perm(tasks) {
					all[i].give()
				}
			}
		})
	}
	// Workers that come and go.
	for w := range 2 {
		others.Go(func() {
			random := rand.New(rand.NewPCG(2, uint64(w)))
			l := New(Config{})
			for finished.Load() < tasks {
				if err := p.Join(l); err != nil {
					t.Error(err)
				}
				for range random.IntN(20) {
					if _, err := l.Poll(Budget{MaxPolls: random.IntN(10)}); err != nil {
						t.Error(err)
					}
				}
				if random.IntN(2) == 0 {
					if err := p.Leave(l); err != nil {
						t.Error(err)
					}
				} else {
					l.Free()
					l = New(Config{})
				}
				runtime.Gosched()
			}
			l.Free()
		})
	}
	others.Wait()
	ended.Wait()
	p.Stop()
	test.Equal(t, "free", p.Free(), nil)
	for i := range all {
		test.Equal(t, "drops", all[i].drops.Load(), 1)
		test.Equal(t, "done", handles[i].Done(), true)
	}
}

func TestPoolSpawnsJoinsAndCancelsAcross(t *testing.T) {
	p := NewPool(PoolConfig{})
	if err := p.Start(3); err != nil {
		t.Fatal(err)
	}
	const parents, rounds = 50, 40
	var drops atomic.Int32
	var ended sync.WaitGroup
	ended.Add(parents)
	for range parents {
		f := &parent{t: t, pool: p, rounds: rounds, drops: &drops}
		mustSpawn(t, p, f, OnDone[int](func(int, error, Outcome) { ended.Done() }))
	}
	ended.Wait()
	p.Stop() // a child counts as live until its worker has told the parent
	test.Equal(t, "children dropped", drops.Load(), parents*rounds)
	test.Equal(t, "live", p.Live(), 0)
	test.Equal(t, "free", p.Free(), nil)
}

// parent spawns a child a round, cancels each third, and awaits it.
type parent struct {
	t      *testing.T
	pool   *Pool
	rounds int
	drops  *atomic.Int32
	child  *Task[int]
}

func (f *parent) Poll(cx *Context) (int, bool, error) {
	for {
		if f.child != nil {
			v, ready, err := f.child.Poll(cx)
			if !ready {
				return 0, false, nil
			}
			if err == nil && v != 3 || err != nil && err != ErrCancelled {
				f.t.Error(v, err)
			}
		}
		if f.rounds == 0 {
			return 0, true, nil
		}
		f.rounds--
		var e Executor = f.pool
		if f.rounds%2 == 0 {
			e = cx
		}
		f.child = mustSpawn[int](f.t, e, &child{drops: f.drops})
		if f.rounds%3 == 0 {
			f.child.Cancel()
		}
	}
}

// child needs three polls, which it asks for in two ways.
type child struct {
	n     int
	drops *atomic.Int32
}

func (k *child) Poll(cx *Context) (int, bool, error) {
	k.n++
	if k.n == 1 {
		cx.WakeSelf()
	} else {
		cx.Waker().Wake()
	}
	return k.n, k.n == 3, nil
}

func (k *child) Drop() { k.drops.Add(1) }
