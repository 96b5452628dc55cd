// SPDX-License-Identifier: Apache-2.0

package steal

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pillion-dev/pillion/executor/internal/test"
)

func TestRingIsFirstInFirstOut(t *testing.T) {
	var r Ring
	into := make([]uint32, 3)
	next := uint32(0)
	for i := range uint32(5 * firstRing) {
		r.Push(i)
		if i%3 == 0 { // so that it goes round, and grows
			for _, slot := range into[:r.Pop(into[:i%2+1])] {
				test.Equal(t, "the slot", slot, next)
				next++
			}
		}
	}
	for n := r.Pop(into); n > 0; n = r.Pop(into) {
		for _, slot := range into[:n] {
			test.Equal(t, "the slot", slot, next)
			next++
		}
	}
	test.Equal(t, "slots", next, 5*firstRing)
}

func TestThiefTakesHalfOfWhatIsPublished(t *testing.T) {
	var r, thief Ring
	for i := range uint32(7) {
		r.Push(i)
	}
	test.Equal(t, "unpublished", r.Stealable(), false)
	test.Equal(t, "stolen", r.Steal(&thief), 0)
	r.Publish()
	test.Equal(t, "published", r.Stealable(), true)
	test.Equal(t, "stolen", r.Steal(&thief), 4)
	test.Equal(t, "stolen", r.Steal(&thief), 2)
	test.Equal(t, "stolen", r.Steal(&thief), 1)
	test.Equal(t, "stolen", r.Steal(&thief), 0)
	r.Push(7)
	test.Equal(t, "popped", r.Pop(make([]uint32, 8)), 1) // unpublished
	test.Equal(t, "behind", r.Stealable(), false)
	test.Equal(t, "stolen", r.Steal(&thief), 0)
}

func TestRingGivesEachSlotOnce(t *testing.T) {
	const slots, thieves = 20_000, 3
	var r Ring
	var out [slots]atomic.Int32
	var left atomic.Int32
	var twice atomic.Bool
	left.Store(slots)
	come := func(all []uint32) {
		for _, slot := range all {
			if out[slot].Add(1) != 1 {
				twice.Store(true)
			}
		}
		left.Add(-int32(len(all)))
	}
	var all sync.WaitGroup
	for range thieves {
		all.Go(func() {
			var own Ring
			into := make([]uint32, mostTaken)
			for left.Load() > 0 {
				if r.Steal(&own) == 0 {
					runtime.Gosched()
				}
				come(into[:own.Pop(into)])
			}
		})
	}
	random := rand.New(rand.NewPCG(1, 1))
	into := make([]uint32, 8)
	for i := uint32(0); i < slots; {
		for range min(random.IntN(500), int(slots-i)) {
			r.Push(i)
			i++
			if random.IntN(8) == 0 {
				r.Publish()
			}
		}
		for range random.IntN(40) {
			come(into[:r.Pop(into)])
		}
	}
	r.Publish()
	all.Wait()
	test.Equal(t, "a slot came twice", twice.Load(), false)
	test.Equal(t, "left", r.Len(), 0)
}

// A thief who has moved the head reads the slots afterwards, at any time.
func TestRingKeepsWhatALateThiefReads(t *testing.T) {
	var r Ring
	for i := range firstRing {
		r.Push(uint32(i))
	}
	r.Publish()
	old := *r.buf.Load()
	r.from.Store(1)
	r.head.Store(100)
	var into [firstRing]uint32
	test.Equal(t, "what the thief has left", r.Pop(into[:]), firstRing-100)
	for range 2 * firstRing {
		r.Push(firstRing)
	}
	for i, slot := range old[:100] {
		test.Equal(t, "what the thief reads", slot, uint32(i))
	}
	r.from.Store(0)
	test.Equal(t, "what was pushed", r.Len(), 2*firstRing)
}
