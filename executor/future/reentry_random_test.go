// SPDX-License-Identifier: Apache-2.0

package future

import (
	"math/rand/v2"
	"testing"
	"time"

	. "github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/internal/test"
	"github.com/pillion-dev/pillion/executor/watch"
)

// mob is tasks that call anything from anywhere: from Poll, Unwind, Drop, OnDone and
// the function of a promise, of themselves and of each other.
type mob struct {
	*rig
	rnd      *rand.Rand
	pool     *Pool
	all      []*rioter
	scopes   []*Scope
	watches  []*Watch
	keys     [5]uint64 // by descriptor
	depth    int
	balance  int // entered and not left
	captured int // and not released
}

func (m *mob) Wake() error { return nil }

func (m *mob) Watch(fd int, _ watch.Events, key uint64) error {
	if m.rnd.IntN(20) == 0 {
		return ErrAgain
	}
	m.keys[fd] = key
	return nil
}
func (m *mob) Unwatch(int, uint64) {}

func (m *mob) Capture() any { m.captured++; return m }
func (m *mob) Enter(any)    { m.balance++ }
func (m *mob) Leave(any)    { m.balance-- }
func (m *mob) Release(any)  { m.captured-- }

// pick gives one of the latest, or nil.
func pick[T any](m *mob, all []*T) *T {
	if len(all) == 0 {
		return nil
	}
	return all[len(all)-1-m.rnd.IntN(min(len(all), 10))]
}

// rioter is the future of one task, and the task.
type rioter struct {
	m                            *mob
	task                         Task[int]
	inside, begun                bool
	unwinds, drops, dones, turns int
	waker                        Waker
	timer                        Timer
	promise                      *Promise[int]
	scope                        *Scope
	ready                        Future[watch.Events]
}

func (r *rioter) enter() func() {
	if r.inside || r.drops > 0 {
		r.m.t.Fatal("called while it is called, or after its drop")
	}
	r.inside = true
	return func() { r.inside = false }
}

func (r *rioter) Poll(cx *Context) (int, bool, error) {
	defer r.enter()()
	m := r.m
	r.begun, r.waker = true, cx.Waker()
	m.act(cx)
	switch m.rnd.IntN(7) {
	case 0:
		cx.Shield(m.rnd.IntN(2) == 0)
	case 1:
		r.timer.Reset(time.Duration(m.rnd.IntN(5)))
		r.timer.Poll(cx)
	case 2:
		r.promise.Poll(cx)
	case 3:
		r.scope.Poll(cx)
		r.scope.Next().Poll(cx)
	case 4:
		if w := pick(m, m.watches); w != nil && r.ready == nil {
			r.ready = w.Ready(watch.Readable)
			r.ready.Poll(cx)
		}
	case 5:
		cx.Context().Done()
	}
	m.act(cx)
	r.turns--
	return 1, r.turns <= 0, nil
}

func (r *rioter) Unwind(cx *Context) (bool, error) {
	defer r.enter()()
	if r.unwinds++; r.unwinds > 1 || !r.begun {
		r.m.t.Fatal("unwound twice, or before it had begun")
	}
	r.m.act(cx)
	cx.WakeSelf()
	return r.m.rnd.IntN(2) == 0, nil
}

func (r *rioter) Drop() {
	if r.drops++; r.drops > 1 || r.inside {
		r.m.t.Fatal("dropped twice, or while it is polled")
	}
	r.timer.Drop()
	r.promise.Drop()
	if r.ready != nil {
		Drop(r.ready)
	}
	r.scope.Drop()
	r.m.act(nil)
}

func (m *mob) spawn(s *Scope) {
	r := &rioter{m: m, turns: 1 + m.rnd.IntN(6)}
	r.promise = NewPromise[int](func() { m.act(nil) })
	r.scope = NewScope(m.Local, ScopeConfig{Limit: m.rnd.IntN(3), Stream: true})
	done := OnDone[int](func(int, error, Outcome) { r.dones++; m.act(nil) })
	late := WithDeadline(m.now + int64(m.rnd.IntN(20)-2))
	var err error
	if s == nil {
		err = r.task.Spawn(m.Local, r, done, late)
	} else {
		err = r.task.Spawn(s, r, done, late)
	}
	if err == nil {
		m.all = append(m.all, r)
		m.scopes = append(m.scopes, r.scope)
	}
}

// act does a few things, each of which may lead to more of the kind.
func (m *mob) act(cx *Context) {
	m.depth++
	defer func() { m.depth-- }()
	for range m.rnd.IntN(3) {
		r := pick(m, m.all)
		if m.depth > 4 || r == nil {
			return
		}
		switch m.rnd.IntN(18) {
		case 0, 1:
			m.spawn(nil)
		case 2:
			m.spawn(pick(m, m.scopes))
		case 3:
			r.task.Cancel()
		case 4:
			m.CancelLocal(r.task.Handle())
		case 5:
			if err := m.Evict(r.task.Handle()); err == nil && r.dones != 1 {
				m.t.Fatal("evicted, but it isn't done")
			}
		case 6:
			r.waker.Wake()
		case 7:
			m.WakeLocal(r.waker)
		case 8:
			_ = r.task.SetDeadline(m.now + int64(m.rnd.IntN(8)-2))
		case 9:
			pick(m, m.scopes).Cancel(nil)
		case 10:
			pick(m, m.scopes).Drop()
		case 11:
			r.task.Detach()
		case 12:
			r.promise.Resolve(1)
		case 13:
			if w := new(Watch); w.Open(m.Local, m.rnd.IntN(5), nil) == nil {
				m.watches = append(m.watches, w)
			}
		case 14:
			if w := pick(m, m.watches); w != nil && m.rnd.IntN(2) == 0 {
				_ = w.CloseLocal()
			} else if w != nil {
				m.Ready(m.keys[m.rnd.IntN(len(m.keys))], watch.Readable|watch.Hangup)
			}
		case 15:
			m.refused()
		case 16:
			if cx != nil {
				r.task.Poll(cx)
			}
		case 17:
			if m.rnd.IntN(4) == 0 {
				panic("any")
			}
		}
	}
}

// refused is what can't be done from inside.
func (m *mob) refused() {
	_, poll := m.Poll(Budget{})
	for _, err := range []error{poll, m.Local.Free(), m.Local.Release(), m.pool.Join(m.Local), m.pool.Leave(m.Local)} {
		test.Equal(m.t, "error", err, ErrReentrant)
	}
}

func TestAnythingIsCalledFromAnywhere(t *testing.T) {
	for seed := range uint64(300) {
		m := &mob{rig: &rig{t: t, now: 1}, rnd: rand.New(rand.NewPCG(seed, 4)), pool: NewPool(PoolConfig{})}
		m.Local = New(Config{Host: m, Context: m, Clock: func() int64 { return m.now }, MaxTasks: 40})
		for i := range 40 {
			m.spawn(nil)
			m.panics(func() { m.Poll(Budget{MaxPolls: m.rnd.IntN(5)}) })
			m.now += int64(m.rnd.IntN(4) - 1) // now and then backwards
			if i == 30 && seed%2 == 0 {
				m.Close(CloseCancel)
			}
		}
		for m.panics(func() { m.Local.Free() }) {
		}
		test.Equal(t, "live", m.Live(), 0)
		test.Equal(t, "hooks entered and not left", m.balance, 0)
		test.Equal(t, "tokens not released", m.captured, 0)
		for _, r := range m.all {
			if r.drops != 1 || r.dones != 1 {
				t.Fatalf("seed %d: dropped %d times, reported %d times", seed, r.drops, r.dones)
			}
		}
	}
}

// panics says whether OnDone has panicked in f, which isn't the executor's to hide.
func (m *mob) panics(f func()) (yes bool) {
	defer func() {
		if r := recover(); r != nil {
			yes = true
			test.Equal[any](m.t, "panic", r, "any")
		}
	}()
	f()
	return false
}
