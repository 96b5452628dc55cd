// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// wheelModel is what a wheel is to do: a list in the order of firing.
type wheelModel []*Timer

func (m *wheelModel) arm(t *Timer) {
	i, _ := slices.BinarySearchFunc(*m, t, func(u, t *Timer) int {
		if u.at <= t.at {
			return -1
		}
		return 1
	})
	*m = slices.Insert(*m, i, t)
}

func (m *wheelModel) disarm(t *Timer) {
	*m = slices.Delete(*m, slices.Index(*m, t), slices.Index(*m, t)+1)
}

// wheelRun does the same to a wheel and to the model, and compares the first timer
// after each step. The steps come in phases, as what is hard for a wheel is a
// change of habit.
type wheelRun struct {
	t     *testing.T
	rnd   *rand.Rand
	wheel wheel
	model wheelModel
	now   int64
}

func (r *wheelRun) check() {
	r.t.Helper()
	equal(r.t, "count", r.wheel.count, len(r.model))
	if len(r.model) > 0 && r.wheel.first() != r.model[0] {
		r.t.Fatalf("the first is due at %d, want %d", r.wheel.first().at, r.model[0].at)
	}
}

func (r *wheelRun) arm(at int64) {
	t := &Timer{at: at}
	now := r.now
	switch r.rnd.IntN(8) { // in a pool, not all have the same time
	case 0:
		now = at - 1
	case 1:
		now -= r.rnd.Int64N(min(now, 1000) + 1)
	}
	r.wheel.arm(t, now)
	r.model.arm(t)
}

func (r *wheelRun) disarm(t *Timer) {
	r.wheel.disarm(t)
	r.model.disarm(t)
}

func (r *wheelRun) phase() {
	span := int64(1) << r.rnd.IntN(58)
	grain := int64(1) << r.rnd.IntN(20)
	peek, arms, drops := r.rnd.IntN(3) > 0, r.rnd.IntN(8), r.rnd.IntN(4)
	for range r.rnd.IntN(600) {
		if Never-1-r.now < span {
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
		switch n := r.rnd.IntN(8); {
		case len(r.model) == 0:
		case n == 0:
			r.now = max(r.now, r.model[0].at) // late, as in a long turn
		case n < 3:
			r.pass(r.model[r.rnd.IntN(min(40, len(r.model)))].at + r.rnd.Int64N(3) - 1)
		}
	}
	equal(r.t, "counted", r.wheel.counted(), len(r.model))
}

// pass lets the time go on and fires.
func (r *wheelRun) pass(now int64) {
	r.now = max(r.now, now)
	for len(r.model) > 0 && r.model[0].at <= r.now {
		r.check()
		r.disarm(r.model[0])
	}
}

func TestWheelAgainstASortedList(t *testing.T) {
	for seed := range uint64(60) {
		r := &wheelRun{t: t, rnd: rand.New(rand.NewPCG(seed, 0)), now: int64(seed) << 32}
		for range 12 {
			r.phase()
		}
		r.check()
		r.pass(Never)
		equal(t, "armed at the end", r.wheel.count, 0)
	}
}

// What is armed early, while the wheel has been divided far ahead of the time,
// doesn't make a large heap.
func TestWheelIsSetBack(t *testing.T) {
	r := &wheelRun{t: t, rnd: rand.New(rand.NewPCG(1, 1))}
	const second = 1_000_000_000
	for i := range int64(2000) {
		r.arm(60*second + i%50*1000)
	}
	r.check() // divides up to there
	if r.wheel.base < 60*second || r.wheel.run.head == nil {
		t.Fatalf("divided up to %d", r.wheel.base)
	}
	for i := range int64(10_000) {
		if i == 1500 {
			r.now = second + 1000 // late, as in a long turn
		}
		r.arm(max(r.now, second) + 1 + i%1500)
	}
	if n := len(r.wheel.front); n > 5*wheelFew+1000 { // a thousand are due
		t.Errorf("%d timers in the heap", n)
	}
	r.check()
	equal(t, "counted", r.wheel.counted(), len(r.model))
	r.pass(Never)
}

// So it is also after a long life, in which much was divided and nothing set back.
func TestWheelIsSetBackAfterALongTime(t *testing.T) {
	r := &wheelRun{t: t, rnd: rand.New(rand.NewPCG(1, 1))}
	const second = 1_000_000_000
	for range 500 {
		for range 60 {
			r.arm(r.now + 1 + r.rnd.Int64N(second))
		}
		r.check()
		r.pass(r.model[len(r.model)-1].at)
	}
	for i := range int64(10) {
		r.arm(r.now + 60*second + i)
	}
	r.check()
	for i := range int64(10_000) {
		r.arm(r.now + second + i*7919%10_000)
		if n := len(r.wheel.front); n > 5*wheelFew {
			t.Fatalf("%d timers in the heap", n)
		}
	}
	r.check()
	r.pass(Never)
}

// counted counts again what the wheel has counted.
func (w *wheel) counted() (n int) {
	n = len(w.front)
	for k, l := range w.levels {
		if l == nil {
			continue
		}
		in := 0
		for i := range l.slots {
			if l.slots[i].head != nil {
				in += l.slots[i].each(func(*Timer) {})
			}
			if (l.slots[i].head != nil) != (l.used>>i&1 != 0) {
				panic("the bits are wrong")
			}
		}
		if k == 0 && w.run.head != nil {
			in += w.run.each(func(*Timer) {})
		}
		if in != l.count || (l.used != 0) != (w.used>>k&1 != 0) {
			panic("the count or the bits of a level are wrong")
		}
		n += in
	}
	return n
}

// As many timers for the same moment as one likes are a list, not a heap.
func TestWheelOfEqualDeadlines(t *testing.T) {
	r := &wheelRun{t: t, rnd: rand.New(rand.NewPCG(1, 1))}
	for range 3000 {
		r.arm(12345)
	}
	r.check()
	equal(t, "in the heap", len(r.wheel.front), 0)
	equal(t, "counted", r.wheel.counted(), 3000)
	r.arm(12345)
	r.arm(12344)
	r.pass(12344)
	equal(t, "armed", r.wheel.count, 3001)
	r.pass(12345)
	equal(t, "armed", r.wheel.count, 0)
}

func TestMaxTimers(t *testing.T) {
	now := int64(1)
	l := New(Config{MaxTimers: 1, Clock: func() int64 { return now }})
	defer l.Free()
	first, second := mustSpawn(t, l, Sleep(5)), mustSpawn(t, l, Sleep(5))
	l.Poll(Budget{})
	_, err := second.Result()
	equal(t, "error", err, ErrAgain)
	equal(t, "the first", first.Done(), false)
	now += 5
	third := mustSpawn(t, l, Sleep(5))
	l.Poll(Budget{})
	equal(t, "the first", first.Done(), true)
	equal(t, "the third", third.Done(), false)
}

// BenchmarkTimers has many timers armed, and for each operation takes any of them.
func BenchmarkTimers(b *testing.B) {
	for _, n := range []int{100, 10_000, 1_000_000} {
		all, order := make([]Timer, n), rand.Perm(n)
		now := int64(1)
		var w wheel
		arm := func(t *Timer) {
			t.at = now + 1_000_000 + rand.Int64N(30_000_000_000)
			w.arm(t, now)
		}
		for i := range all {
			arm(&all[i])
		}
		b.Run(fmt.Sprintf("reset/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for i := range b.N {
				t := &all[order[i%n]]
				w.disarm(t)
				arm(t)
			}
		})
		b.Run(fmt.Sprintf("fire/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				t := w.first()
				w.disarm(t)
				now = t.at
				arm(t)
			}
		})
	}
}
