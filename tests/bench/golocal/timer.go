// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math/rand/v2"
	"time"
	"unsafe"

	"github.com/pillion-dev/pillion/executor"
)

// timers is one task with many timers, so that only these are measured.
type timers struct {
	all   []executor.Timer
	order []int32 // which timer comes next
	do    string  // the work of the next poll
	spent time.Duration
}

// Poll arms all timers, or resets them.
func (s *timers) Poll(cx *executor.Context) (none, bool, error) {
	if s.do == "fire" {
		return none{}, false, nil
	}
	start := time.Now()
	for _, i := range s.order {
		t := &s.all[i]
		if s.do == "reset" {
			t.Reset(deadlineOf(i) + time.Second)
		}
		t.Poll(cx)
	}
	s.spent = time.Since(start)
	return none{}, false, nil
}

// deadlineOf spreads the deadlines over half a minute, without any order.
func deadlineOf(i int32) time.Duration {
	return time.Millisecond + time.Duration(uint32(i)*2654435761)*7
}

// timer arms, resets, drops and fires n timers, and gives ns for each: the best of
// some rounds. All but the first arming go through the timers in random order, except
// in_order: it resets the timers one after the other, as timeouts are, and then fires
// them. miss is the price of one access to as many cells of the size of a timer, in an
// order that the processor can't foresee.
func timer(n int) map[string]float64 {
	var now int64
	l := executor.New(executor.Config{Clock: func() int64 { return now }})
	s := &timers{all: make([]executor.Timer, n), order: make([]int32, n)}
	task, err := executor.Spawn(l, s)
	check(err)

	best := map[string]float64{}
	note := func(what string, d time.Duration) {
		ns := float64(d) / float64(n)
		if b, ok := best[what]; !ok || ns < b {
			best[what] = ns
		}
	}
	arm := func(what string) {
		s.do = what
		l.WakeLocal(executor.Waker(task.Handle()) | 1<<56)
		turn(l)
		note(what, s.spent)
	}
	fire := func(what string) {
		s.do = "fire"
		start := time.Now()
		for p := turn(l); p.Deadline != executor.Never; p = turn(l) {
			now = p.Deadline + int64(30*time.Second)/int64(n)*8 // some at once
		}
		note(what, time.Since(start))
	}
	for range max(3, min(1000, 1_000_000/n)) {
		for i := range s.all {
			s.order[i] = int32(i)
			s.all[i].Reset(deadlineOf(int32(i)))
		}
		arm("arm")
		s.shuffle()
		arm("reset")
		s.shuffle()
		start := time.Now()
		for _, i := range s.order {
			s.all[i].Drop()
		}
		note("drop", time.Since(start))
		s.shuffle()
		arm("reset")
		fire("fire")
		for i := range s.all {
			s.order[i] = int32(i)
			s.all[i].Reset(time.Second + time.Duration(i)*30*time.Second/time.Duration(n))
		}
		arm("arm")
		fire("in_order")
		note("miss", miss(n))
	}
	return best
}

func (s *timers) shuffle() {
	rand.Shuffle(len(s.order), func(i, j int) { s.order[i], s.order[j] = s.order[j], s.order[i] })
}

// miss follows a random ring through n cells.
func miss(n int) time.Duration {
	type cell struct {
		next int
		_    [unsafe.Sizeof(executor.Timer{}) - 8]byte
	}
	ring := make([]cell, n)
	for i := range ring {
		ring[i].next = i
	}
	for i := n - 1; i > 0; i-- { // Sattolo: one ring through all
		j := rand.IntN(i)
		ring[i].next, ring[j].next = ring[j].next, ring[i].next
	}
	start, at := time.Now(), 0
	for range n {
		at = ring[at].next
	}
	spent := time.Since(start)
	if at != 0 {
		panic("the ring has several rounds")
	}
	return spent
}
