// SPDX-License-Identifier: Apache-2.0

package future

import (
	"fmt"
	"sync"
	"testing"
	"time"

	. "github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/internal/test"
)

// ticks takes ticks at the given times and says when and how many were missed.
func ticks(t *testing.T, policy Missed, times ...int64) string {
	r := newRig(t)
	r.now = 1000
	i := NewInterval(100, policy)
	out := ""
	mustSpawn(t, r.Local, Func[int](func(cx *Context) (int, bool, error) {
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
	for _, policy := range []Missed{MissedBurst, MissedDelay, MissedSkip} {
		test.Equal(t, "ticks", ticks(t, policy, 1050, 1100, 1150, 1200), "1100:0 1200:0 1300")
	}
}

func TestIntervalThatIsLate(t *testing.T) {
	test.Equal(t, "MissedBurst", ticks(t, MissedBurst, 1100, 1430), "1100:0 1430:2 1430:1 1430:0 1500")
	test.Equal(t, "MissedDelay", ticks(t, MissedDelay, 1100, 1430), "1100:0 1430:2 1530")
	test.Equal(t, "MissedSkip", ticks(t, MissedSkip, 1100, 1430), "1100:0 1430:2 1500")
	test.Equal(t, "MissedSkip, just in time", ticks(t, MissedSkip, 1200), "1200:1 1300")
}

func TestIntervalIsDroppedBetweenTicks(t *testing.T) {
	r := newRig(t)
	i := NewInterval(100, MissedSkip)
	first := mustSpawn(t, r.Local, i.Tick())
	test.Equal(t, "deadline", r.turn(1).Deadline, 101)
	first.Cancel()
	test.Equal(t, "deadline", r.turn(0).Deadline, Never)
	r.now = 150
	second := mustSpawn(t, r.Local, i.Tick())
	r.turn(1)
	test.Equal(t, "the tick was kept", second.Done(), true)
	third := mustSpawn(t, r.Local, i.Tick())
	test.Equal(t, "deadline", r.turn(1).Deadline, 201)
	third.Cancel()
	r.turn(0)
	i.Reset()
	mustSpawn(t, r.Local, i.Tick())
	test.Equal(t, "deadline", r.turn(1).Deadline, 250)
}

func TestIntervalOverTheQuota(t *testing.T) {
	l := New(Config{MaxTimers: 1, Clock: func() int64 { return 1 }})
	defer l.Free()
	mustSpawn(t, l, Sleep(5))
	task := mustSpawn(t, l, NewInterval(5, MissedBurst).Tick())
	l.Poll(Budget{})
	_, err := task.Result()
	test.Equal(t, "error", err, ErrAgain)
}

func TestIntervalOfNothing(t *testing.T) {
	defer func() { test.Equal(t, "panicked", recover() != nil, true) }()
	NewInterval(0, MissedBurst)
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
			beat, n := NewInterval(time.Millisecond, MissedBurst), 0
			Run(p, Func[int](func(cx *Context) (int, bool, error) {
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
