// SPDX-License-Identifier: Apache-2.0

package wheel

// The late timers are a pairing heap (Fredman, Sedgewick, Sleator, Tarjan 1986).

func (t *Timer) before(u *Timer) bool {
	return t.At < u.At || t.At == u.At && t.seq < u.seq
}

func meld(t, u *Timer) *Timer {
	if t == nil {
		return u
	}
	if u == nil {
		return t
	}
	if u.before(t) {
		t, u = u, t
	}
	if u.next = t.child; u.next != nil {
		u.next.prev = u
	}
	u.prev = t
	t.child = u
	return t
}

// meldAll melds siblings in pairs, and then the pairs from the last to the first.
func meldAll(first *Timer) (root *Timer) {
	var pairs *Timer
	for first != nil {
		t, u := first, first.next
		first = nil
		if u != nil {
			first, u.next = u.next, nil
		}
		t.next = nil
		t = meld(t, u)
		t.next, pairs = pairs, t
	}
	for pairs != nil {
		t := pairs
		pairs, t.next = t.next, nil
		root = meld(root, t)
	}
	return root
}

func (w *Wheel) putLate(t *Timer) {
	w.seq++
	t.seq = w.seq
	t.child, t.next = nil, nil
	w.setLate(meld(w.late, t))
}

func (w *Wheel) removeLate(t *Timer) {
	rest := meldAll(t.child)
	t.child = nil
	if t == w.late {
		w.setLate(rest)
		return
	}
	if t.prev.child == t {
		t.prev.child = t.next
	} else {
		t.prev.next = t.next
	}
	if t.next != nil {
		t.next.prev = t.prev
	}
	w.setLate(meld(w.late, rest))
}

func (w *Wheel) setLate(root *Timer) {
	if w.late = root; root != nil {
		root.prev = root
	}
}
