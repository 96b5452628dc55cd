// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"math/bits"
	"math/rand/v2"
)

// ring is the ready queue. A task that finishes in the queue is removed by its place,
// since its storage may be in use elsewhere by the time its place comes.
type ring struct {
	buf        []*task // a power of two long
	head, tail uint32
}

func (r *ring) len() int { return int(r.tail - r.head) }

func (r *ring) push(t *task) {
	if !r.put(t) {
		r.grow(2 * len(r.buf))
		r.put(t)
	}
}

// put is the part of push that the compiler can inline: it fails if the ring is full.
func (r *ring) put(t *task) bool {
	if r.tail-r.head == uint32(len(r.buf)) {
		return false
	}
	r.buf[r.tail&uint32(len(r.buf)-1)] = t
	t.place = r.tail
	r.tail++
	return true
}

// pop gives the task at the front, or nil if the task has finished. The ring must not
// be empty.
func (r *ring) pop() *task {
	p := &r.buf[r.head&uint32(len(r.buf)-1)]
	r.head++
	t := *p
	*p = nil
	return t
}

// shuffle brings the tasks into another order.
func (r *ring) shuffle(rnd *rand.PCG) {
	if r.len() < 2 {
		return
	}
	mask := uint32(len(r.buf) - 1)
	for n := r.tail - r.head; n > 1; n-- {
		p, q := &r.buf[(r.head+n-1)&mask], &r.buf[(r.head+uint32(rnd.Uint64()%uint64(n)))&mask]
		*p, *q = *q, *p
		if *p != nil {
			(*p).place = r.head + n - 1
		}
	}
	if first := r.buf[r.head&mask]; first != nil {
		first.place = r.head
	}
}

func (r *ring) remove(t *task) { r.buf[t.place&uint32(len(r.buf)-1)] = nil }

// grow makes room for n tasks, and for 64 at least.
func (r *ring) grow(n int) {
	buf := make([]*task, 1<<max(6, bits.Len(uint(max(n, 1)-1))))
	for i := r.head; i != r.tail; i++ {
		buf[i&uint32(len(buf)-1)] = r.buf[i&uint32(len(r.buf)-1)]
	}
	r.buf = buf
}
