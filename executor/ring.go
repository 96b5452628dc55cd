// SPDX-License-Identifier: Apache-2.0

package executor

// ring is the ready queue. It holds slots and generations rather than pointers: a
// task can finish while it is in here, and its storage may be in use elsewhere by
// the time it comes out.
type ring struct {
	buf        []uint64 // a power of two long
	head, tail uint32
}

func (r *ring) len() int { return int(r.tail - r.head) }

func (r *ring) push(id uint64) {
	if r.len() == len(r.buf) {
		r.grow()
	}
	r.buf[r.tail&uint32(len(r.buf)-1)] = id
	r.tail++
}

// pop gives the task at the front, or nil if that has finished. The ring must not
// be empty.
func (r *ring) pop() *task {
	id := r.buf[r.head&uint32(len(r.buf)-1)]
	r.head++
	slot := uint32(id >> 32)
	t := lookup(slot).tasks[slot&chunkMask]
	if t == nil || t.gen != uint32(id) {
		return nil
	}
	return t
}

func (r *ring) grow() {
	buf := make([]uint64, max(64, 2*len(r.buf)))
	n := r.len()
	for i := range n {
		buf[i] = r.buf[(r.head+uint32(i))&uint32(len(r.buf)-1)]
	}
	r.buf, r.head, r.tail = buf, 0, uint32(n)
}
