// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

func TestRingIsFirstInFirstOut(t *testing.T) {
	var r stealRing
	into := make([]uint32, 3)
	next := uint32(0)
	for i := range uint32(5 * firstRing) {
		r.push(i)
		if i%3 == 0 { // so that it goes round, and grows
			for _, slot := range into[:r.pop(into[:i%2+1])] {
				equal(t, "the slot", slot, next)
				next++
			}
		}
	}
	for n := r.pop(into); n > 0; n = r.pop(into) {
		for _, slot := range into[:n] {
			equal(t, "the slot", slot, next)
			next++
		}
	}
	equal(t, "slots", next, 5*firstRing)
}

func TestThiefTakesHalfOfWhatIsPublished(t *testing.T) {
	var r, thief stealRing
	for i := range uint32(7) {
		r.push(i)
	}
	equal(t, "unpublished", r.stealable(), false)
	equal(t, "stolen", r.steal(&thief), 0)
	r.publish()
	equal(t, "published", r.stealable(), true)
	equal(t, "stolen", r.steal(&thief), 4)
	equal(t, "stolen", r.steal(&thief), 2)
	equal(t, "stolen", r.steal(&thief), 1)
	equal(t, "stolen", r.steal(&thief), 0)
	r.push(7)
	equal(t, "popped", r.pop(make([]uint32, 8)), 1) // unpublished
	equal(t, "behind", r.stealable(), false)
	equal(t, "stolen", r.steal(&thief), 0)
}

func TestRingGivesEachSlotOnce(t *testing.T) {
	const slots, thieves = 20_000, 3
	var r stealRing
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
			var own stealRing
			into := make([]uint32, mostTaken)
			for left.Load() > 0 {
				if r.steal(&own) == 0 {
					runtime.Gosched()
				}
				come(into[:own.pop(into)])
			}
		})
	}
	random := rand.New(rand.NewPCG(1, 1))
	into := make([]uint32, batchSize)
	for i := uint32(0); i < slots; {
		for range min(random.IntN(500), int(slots-i)) {
			r.push(i)
			i++
			if random.IntN(8) == 0 {
				r.publish()
			}
		}
		for range random.IntN(40) {
			come(into[:r.pop(into)])
		}
	}
	r.publish()
	all.Wait()
	equal(t, "a slot came twice", twice.Load(), false)
	equal(t, "left", r.len(), 0)
}

// A thief who has moved the head reads the slots afterwards, at any time.
func TestRingKeepsWhatALateThiefReads(t *testing.T) {
	var r stealRing
	for i := range firstRing {
		r.push(uint32(i))
	}
	r.publish()
	old := *r.buf.Load()
	r.from.Store(1)
	r.head.Store(100)
	var into [firstRing]uint32
	equal(t, "what the thief has left", r.pop(into[:]), firstRing-100)
	for range 2 * firstRing {
		r.push(firstRing)
	}
	for i, slot := range old[:100] {
		equal(t, "what the thief reads", slot, uint32(i))
	}
	r.from.Store(0)
	equal(t, "what was pushed", r.len(), 2*firstRing)
}
