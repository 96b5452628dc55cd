// SPDX-License-Identifier: Apache-2.0

package wheel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// model is what a wheel is to do: a list in the order of firing.
type model []*Timer

func (m *model) arm(t *Timer) {
	i, _ := slices.BinarySearchFunc(*m, t, func(u, t *Timer) int {
		if u.At <= t.At {
			return -1
		}
		return 1
	})
	*m = slices.Insert(*m, i, t)
}

func (m *model) disarm(t *Timer) {
	*m = slices.Delete(*m, slices.Index(*m, t), slices.Index(*m, t)+1)
}

// run does the same to a wheel and to the model, and compares what is due. The steps
// come in phases, as what is hard for a wheel is a change of habit.
type run struct {
	t     *testing.T
	rnd   *rand.Rand
	wheel Wheel
	model model
	now   int64
	exact bool // nothing was disarmed yet
}

func newRun(t *testing.T, seed uint64) *run {
	return &run{t: t, rnd: rand.New(rand.NewPCG(seed, 1)), now: int64(seed) << 32, exact: true}
}

func (r *run) check() {
	r.t.Helper()
	first := int64(math.MaxInt64)
	if len(r.model) > 0 {
		first = r.model[0].At
	}
	switch d := r.wheel.Deadline(); {
	case r.wheel.Count != len(r.model):
		r.t.Fatalf("%d are armed, want %d", r.wheel.Count, len(r.model))
	case d > first || d < first && (r.exact || first == math.MaxInt64):
		r.t.Fatalf("the first is due at %d, want %d", d, first)
	}
}

func (r *run) arm(at int64) {
	t := &Timer{At: at}
	now := r.now
	switch r.rnd.IntN(8) { // in a pool, not all have the same time
	case 0:
		now = at - 1
	case 1:
		now -= r.rnd.Int64N(min(now, 1000) + 1)
	}
	r.wheel.Arm(t, now)
	r.model.arm(t)
}

func (r *run) disarm(t *Timer) {
	r.wheel.Disarm(t)
	r.model.disarm(t)
	if t.Armed() {
		r.t.Fatal("still armed")
	}
	r.exact = false
}

func (r *run) phase() {
	span := int64(1) << r.rnd.IntN(58)
	grain := int64(1) << r.rnd.IntN(20)
	peek, arms, drops := r.rnd.IntN(3) > 0, r.rnd.IntN(8), r.rnd.IntN(4)
	for range r.rnd.IntN(600) {
		if math.MaxInt64-1-r.now < span {
			return // the end of time is near
		}
		for range r.rnd.IntN(arms + 1) {
			r.arm(r.now + 1 + r.rnd.Int64N(span)/grain*grain)
		}
		for range min(r.rnd.IntN(drops+1), len(r.model)) {
			r.disarm(r.model[r.rnd.IntN(len(r.model))])
		}
		if peek {
			r.check()
		}
		switch n := r.rnd.IntN(9); {
		case n == 8:
			r.now -= r.rnd.Int64N(r.now/16 + 1) // a clock that goes back
		case len(r.model) == 0:
		case n == 0:
			r.now = max(r.now, r.model[0].At) // late, as in a long turn
		case n < 3:
			r.pass(r.model[r.rnd.IntN(min(40, len(r.model)))].At + r.rnd.Int64N(3) - 1)
		}
	}
	if n := r.wheel.counted(); n != len(r.model) {
		r.t.Fatalf("%d are in the lists, want %d", n, len(r.model))
	}
}

// pass lets the time go on and fires.
func (r *run) pass(now int64) {
	r.t.Helper()
	r.now = max(r.now, now)
	for len(r.model) > 0 && r.model[0].At <= r.now {
		if t := r.wheel.Due(r.now); t != r.model[0] || t.Armed() {
			r.t.Fatalf("%v is due, want %v", t, r.model[0])
		}
		r.model = r.model[1:]
	}
	if t := r.wheel.Due(r.now); t != nil {
		r.t.Fatalf("%v is due", t)
	}
	r.check()
}

func TestWheelAgainstASortedList(t *testing.T) {
	for seed := range uint64(60) {
		r := newRun(t, seed)
		for range 12 {
			r.phase()
		}
		r.check()
		r.pass(math.MaxInt64)
		r.check()
	}
}

// counted counts again what the wheel has counted.
func (w *Wheel) counted() (n int) {
	n = w.late.count()
	for k, l := range w.levels {
		for i := range slots {
			if l != nil && l.used>>i&1 != 0 {
				for t := l.slots[i].first; t != nil; t = t.next {
					n++
				}
			}
		}
		if (l != nil && l.used != 0) != (w.used>>k&1 != 0) {
			panic("the bits of a level are wrong")
		}
	}
	return n
}

func (t *Timer) count() int {
	if t == nil {
		return 0
	}
	return 1 + t.child.count() + t.next.count()
}

func TestWheelOfEqualDeadlines(t *testing.T) {
	r := newRun(t, 0)
	for range 3000 {
		r.arm(12345)
	}
	r.check()
	r.arm(12345)
	r.arm(12344)
	r.pass(12344)
	r.check()
	r.pass(12345)
	r.check()
}

// A deadline that a task has from the start may be armed before the time is known.
func TestWheelThatDoesNotKnowTheTime(t *testing.T) {
	var w Wheel
	far, near := Timer{At: 1 << 40}, Timer{At: 7}
	w.Arm(&far, 0)
	w.Arm(&near, 0)
	if w.late != nil || w.Deadline() != 7 {
		t.Errorf("due at %d", w.Deadline())
	}
	w.Reset()
	if far.Armed() || near.Armed() || w.Deadline() != math.MaxInt64 {
		t.Error("something is still armed")
	}
}

// BenchmarkTimers has many timers armed, and for each operation takes any of them.
func BenchmarkTimers(b *testing.B) {
	for _, n := range []int{100, 10_000, 1_000_000} {
		all, order := make([]Timer, n), rand.Perm(n)
		now := int64(1)
		var w Wheel
		arm := func(t *Timer) {
			t.At = now + 1_000_000 + rand.Int64N(30_000_000_000)
			w.Arm(t, now)
		}
		for i := range all {
			arm(&all[i])
		}
		b.Run(fmt.Sprintf("reset/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for i := range b.N {
				t := &all[order[i%n]]
				w.Disarm(t)
				arm(t)
			}
		})
		b.Run(fmt.Sprintf("fire/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				t := w.Due(math.MaxInt64)
				now = t.At
				arm(t)
			}
		})
	}
}
