// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pillion-dev/pillion/executor/internal/test"
)

func TestSleepCountsFromItsFirstPoll(t *testing.T) {
	r := newRig(t)
	task := mustSpawn(t, r.Local, sleep(100))
	r.now = 50
	test.Equal(t, "deadline", r.turn(1).Deadline, 150)
	r.now = 149
	test.Equal(t, "deadline", r.turn(0).Deadline, 150)
	r.now = 150
	test.Equal(t, "deadline", r.turn(1).Deadline, Never)
	test.Equal(t, "done", task.Done(), true)
}

func TestSleepThatIsDueIsReadyAtOnce(t *testing.T) {
	r := newRig(t)
	mustSpawn(t, r.Local, sleep(-5))
	mustSpawn(t, r.Local, sleepUntil(r.now))
	test.Equal(t, "live", r.turn(2).Live, 0)
}

func TestSleepForever(t *testing.T) {
	r := newRig(t)
	mustSpawn(t, r.Local, sleepUntil(Never))
	mustSpawn(t, r.Local, sleep(1<<63-1))
	p := r.turn(2)
	test.Equal(t, "deadline", p.Deadline, Never)
	test.Equal(t, "live", p.Live, 2)
}

func TestCancelTakesTheTimerBack(t *testing.T) {
	r := newRig(t)
	task := mustSpawn(t, r.Local, sleep(100))
	r.turn(1)
	task.Cancel()
	test.Equal(t, "deadline", r.turn(0).Deadline, Never)
}

func TestTimerIsUsedAgain(t *testing.T) {
	r := newRig(t)
	var task Task[struct{}]
	timer := sleep(10)
	for range 3 {
		task.Spawn(r.Local, timer)
		r.turn(1)
		r.now += 10
		r.turn(1)
		timer.Reset(10)
	}
}

// Its storage is the caller's, and may be armed anew elsewhere.
func TestTimerOutlivesItsExecutor(t *testing.T) {
	for _, dropped := range []bool{true, false} {
		r, timer := newRig(t), sleepUntil(100)
		mustSpawn[int](t, r.Local, &probe{OnPoll: func(cx *Context) { timer.Poll(cx) }}) // its drop leaves the timer
		test.Equal(t, "deadline", r.turn(1).Deadline, 100)
		r.Free()
		if dropped {
			timer.Drop()
		}
		other := newRig(t)
		mustSpawn(t, other.Local, timer)
		test.Equal(t, "deadline elsewhere", other.turn(1).Deadline, 100)
		other.now = 100
		test.Equal(t, "live", other.turn(1).Live, 0)
	}
}

func TestEqualDeadlinesFireInTheirOrder(t *testing.T) {
	r := newRig(t)
	var got []int
	for i := range 20 {
		timer := sleep(10)
		mustSpawn[int](t, r.Local, fn[int](func(cx *Context) (int, bool, error) {
			_, ready, _ := timer.Poll(cx)
			if ready {
				got = append(got, i)
			}
			return 0, ready, nil
		}))
	}
	r.turn(20)
	r.now += 10
	r.turn(20)
	test.Equal(t, "sorted", slices.IsSorted(got), true)
}

func TestTimersAgainstASortedList(t *testing.T) {
	r := newRig(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	var want, got []int64
	tasks := map[int64]*Task[struct{}]{}
	for i := range int64(500) {
		at := (rnd.Int64N(1000)+2)*1000 + i // all different
		tasks[at] = mustSpawn(t, r.Local, sleepUntil(at), OnDone[struct{}](func(_ struct{}, err error, _ Outcome) {
			if err == nil {
				got = append(got, at)
			}
		}))
	}
	r.turn(500)
	for at, task := range tasks {
		if at%3 == 0 {
			task.Cancel()
		} else {
			want = append(want, at)
		}
	}
	slices.Sort(want)
	for {
		p, _ := r.Poll(Budget{})
		if p.Live == 0 {
			break
		}
		if !p.More {
			r.now = p.Deadline
		}
	}
	test.Equal(t, "order", fmt.Sprint(got), fmt.Sprint(want))
}

func TestDefaultClockRuns(t *testing.T) {
	l := New(Config{})
	defer l.Free()
	a := l.Now()
	for l.Now() == a {
	}
	task := mustSpawn(t, l, sleep(time.Millisecond))
	for !task.Done() {
		l.Poll(Budget{})
	}
	test.Equal(t, "at least a millisecond", l.Now() >= a+int64(time.Millisecond), true)
}

func TestMaxTimers(t *testing.T) {
	now := int64(1)
	l := New(Config{MaxTimers: 1, Clock: func() int64 { return now }})
	defer l.Free()
	first, second := mustSpawn(t, l, sleep(5)), mustSpawn(t, l, sleep(5))
	l.Poll(Budget{})
	_, err := second.Result()
	test.Equal(t, "error", err, ErrAgain)
	test.Equal(t, "the first", first.Done(), false)
	now += 5
	third := mustSpawn(t, l, sleep(5))
	l.Poll(Budget{})
	test.Equal(t, "the first", first.Done(), true)
	test.Equal(t, "the third", third.Done(), false)
}
