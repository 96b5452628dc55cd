// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/pillion-dev/pillion/executor/internal/test"
)

func TestSeedIsAnOrder(t *testing.T) {
	run := func(seed uint64) string {
		l := New(Config{Seed: seed})
		defer l.Free()
		out, rnd := "", rand.New(rand.NewPCG(1, 1))
		var tasks []*Task[int]
		for i := range 10 {
			tasks = append(tasks, mustSpawn[int](t, l, &probe{OnPoll: func(*Context) { out += fmt.Sprint(i) }}))
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
		test.Equal(t, "unseeded: in order", slices.IsSorted([]byte(turn)), true)
	}
	test.Equal(t, "replayed", run(7), run(7))
	test.Equal(t, "lengths", len(run(7)), len(run(0)))
	if run(7) == run(8) || run(7) == run(0) {
		t.Error("the seed has no effect")
	}
}

func TestConfigBudgetAndReady(t *testing.T) {
	l := New(Config{Budget: Budget{MaxPolls: 2}, Ready: 1000})
	defer l.Free()
	test.Equal(t, "places", len(l.ready.buf), 1024)
	for range 5 {
		mustSpawn(t, l, fn[int](readyAtOnce))
	}
	p, _ := l.Poll(Budget{})
	test.Equal(t, "the default", p.Polled, 2)
	p, _ = l.Poll(Budget{MaxPolls: 100})
	test.Equal(t, "told otherwise", p.Polled, 3)
}
