// SPDX-License-Identifier: Apache-2.0

package steal

import (
	"math/bits"
	"sync/atomic"
)

// Workers is the greatest number of workers in a set.
const Workers = 256

// Set has a bit for each worker that has parked and wasn't poked since. A pusher pushes
// first, and then looks at the set. A worker that parks sets its bit first, and then
// looks at the queues once more. So one of the two sees the other.
type Set [Workers / 64]atomic.Uint64

// Add adds a worker.
func (s *Set) Add(i int) { s[i/64].Or(1 << (i % 64)) }

// Remove reports whether i was in the set.
func (s *Set) Remove(i int) bool {
	bit := uint64(1) << (i % 64)
	return s[i/64].And(^bit)&bit != 0
}

// Take removes one that is also in among, or gives -1.
func (s *Set) Take(among *Set) int {
	for word := range s {
		for {
			set := s[word].Load()
			of := set
			if among != nil {
				of &= among[word].Load()
			}
			if of == 0 {
				break
			}
			if s[word].CompareAndSwap(set, set&^(of&-of)) {
				return word*64 + bits.TrailingZeros64(of)
			}
		}
	}
	return -1
}
