// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// ticks takes ticks at the given times and says when and how many were missed.
func ticks(t *testing.T, policy Missed, times ...int64) string {
	r := newRig(t)
	r.now = 1000
	i := NewInterval(100, policy)
	out := ""
	mustSpawn(t, r.Local, FutureFunc[int](func(cx *Context) (int, bool, error) {
		for {
			missed, ready, err := i.Tick().Poll(cx)
			if err != nil {
				t.Error(err)
			}
			if !ready {
				return 0, false, nil
			}
			out += fmt.Sprintf("%d:%d ", cx.Now(), missed)
		}
	}))
	p := r.turn(1)
	for _, at := range times {
		r.now = at
		p, _ = r.Poll(Budget{})
	}
	return out + fmt.Sprint(p.Deadline)
}

func TestIntervalInTime(t *testing.T) {
	for _, policy := range []Missed{Burst, Delay, Skip} {
		equal(t, "ticks", ticks(t, policy, 1050, 1100, 1150, 1200), "1100:0 1200:0 1300")
	}
}

func TestIntervalThatIsLate(t *testing.T) {
	equal(t, "Burst", ticks(t, Burst, 1100, 1430), "1100:0 1430:2 1430:1 1430:0 1500")
	equal(t, "Delay", ticks(t, Delay, 1100, 1430), "1100:0 1430:2 1530")
	equal(t, "Skip", ticks(t, Skip, 1100, 1430), "1100:0 1430:2 1500")
	equal(t, "Skip, just in time", ticks(t, Skip, 1200), "1200:1 1300")
}

func TestIntervalIsDroppedBetweenTicks(t *testing.T) {
	r := newRig(t)
	i := NewInterval(100, Skip)
	first := mustSpawn(t, r.Local, i.Tick())
	equal(t, "deadline", r.turn(1).Deadline, 101)
	first.Cancel()
	equal(t, "deadline", r.turn(0).Deadline, Never)
	r.now = 150
	second := mustSpawn(t, r.Local, i.Tick())
	r.turn(1)
	equal(t, "the tick was kept", second.Done(), true)
	third := mustSpawn(t, r.Local, i.Tick())
	equal(t, "deadline", r.turn(1).Deadline, 201)
	third.Cancel()
	r.turn(0)
	i.Reset()
	mustSpawn(t, r.Local, i.Tick())
	equal(t, "deadline", r.turn(1).Deadline, 250)
}

func TestIntervalOverTheQuota(t *testing.T) {
	l := New(Config{MaxTimers: 1, Clock: func() int64 { return 1 }})
	defer l.Free()
	mustSpawn(t, l, Sleep(5))
	task := mustSpawn(t, l, NewInterval(5, Burst).Tick())
	l.Poll(Budget{})
	_, err := task.Result()
	equal(t, "error", err, ErrAgain)
}

func TestIntervalOfNothing(t *testing.T) {
	defer func() { equal(t, "panicked", recover() != nil, true) }()
	NewInterval(0, Burst)
}

func TestSeedIsAnOrder(t *testing.T) {
	run := func(seed uint64) string {
		l := New(Config{Seed: seed})
		defer l.Free()
		out, rnd := "", rand.New(rand.NewPCG(1, 1))
		var tasks []*Task[int]
		for i := range 10 {
			tasks = append(tasks, mustSpawn[int](t, l, &probe{onPoll: func(*Context) { out += fmt.Sprint(i) }}))
		}
		for range 5 {
			out += " "
			for _, task := range tasks { // some end while they are in the queue
				if h := task.Handle(); !task.Done() && rnd.IntN(8) == 0 {
					l.WakeLocal(Waker(h ^ (kindTask^kindWaker)<<56))
					l.Evict(h)
				} else if !task.Done() {
					l.WakeLocal(Waker(h ^ (kindTask^kindWaker)<<56))
				}
			}
			l.Poll(Budget{})
		}
		return out
	}
	for _, turn := range strings.Fields(run(0)) {
		equal(t, "unseeded: in order", slices.IsSorted([]byte(turn)), true)
	}
	equal(t, "replayed", run(7), run(7))
	equal(t, "lengths", len(run(7)), len(run(0)))
	if run(7) == run(8) || run(7) == run(0) {
		t.Error("the seed has no effect")
	}
}

func TestConfigBudgetAndReady(t *testing.T) {
	l := New(Config{Budget: Budget{MaxPolls: 2}, Ready: 1000})
	defer l.Free()
	equal(t, "places", len(l.ready.buf), 1024)
	for range 5 {
		mustSpawn(t, l, FutureFunc[int](readyAtOnce))
	}
	p, _ := l.Poll(Budget{})
	equal(t, "the default", p.Polled, 2)
	p, _ = l.Poll(Budget{MaxPolls: 100})
	equal(t, "told otherwise", p.Polled, 3)
}

// While an interval waits, other workers compare its timer with theirs.
func TestIntervalsInAPool(t *testing.T) {
	p := NewPool(PoolConfig{})
	if err := p.Start(2); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			beat, n := NewInterval(time.Millisecond, Burst), 0
			Run(p, FutureFunc[int](func(cx *Context) (int, bool, error) {
				if _, ready, _ := beat.Poll(cx); ready {
					n++
				}
				other := Sleep(time.Duration(n) * time.Microsecond)
				other.Poll(cx)
				other.Drop()
				cx.WakeSelf()
				return 0, n == 30, nil
			}))
		})
	}
	all.Wait()
	p.Stop()
	if err := p.Free(); err != nil {
		t.Error(err)
	}
}
