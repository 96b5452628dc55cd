// SPDX-License-Identifier: Apache-2.0

package executor

// ring is the ready queue. A task that finishes while it is in here is taken out
// by its place, since its storage may be in use elsewhere by the time it would
// come out.
type ring struct {
	buf        []*task // a power of two long
	head, tail uint32
}

func (r *ring) len() int { return int(r.tail - r.head) }

func (r *ring) push(t *task) {
	if r.tail-r.head == uint32(len(r.buf)) {
		r.grow()
	}
	r.buf[r.tail&uint32(len(r.buf)-1)] = t
	t.place = r.tail
	r.tail++
}

// pop gives the task at the front, or nil if that has finished. The ring must not
// be empty.
func (r *ring) pop() *task {
	p := &r.buf[r.head&uint32(len(r.buf)-1)]
	r.head++
	t := *p
	*p = nil
	return t
}

func (r *ring) remove(t *task) { r.buf[t.place&uint32(len(r.buf)-1)] = nil }

func (r *ring) grow() {
	buf := make([]*task, max(64, 2*len(r.buf)))
	for i := r.head; i != r.tail; i++ {
		buf[i&uint32(len(buf)-1)] = r.buf[i&uint32(len(r.buf)-1)]
	}
	r.buf = buf
}
