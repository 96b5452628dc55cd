// SPDX-License-Identifier: Apache-2.0

package executor

// timerList is a list of timers in the order in which they came; it goes round,
// so that its end is found through its head.
type timerList struct{ head *Timer }

func (q *timerList) push(t *Timer) {
	if q.head == nil {
		t.next, t.prev, q.head = t, t, t
		return
	}
	last := q.head.prev
	t.next, t.prev = q.head, last
	last.next, q.head.prev = t, t
}

func (q *timerList) remove(t *Timer) {
	if q.head == t {
		q.head = t.next
	}
	if q.head == t {
		q.head = nil
	}
	t.prev.next, t.next.prev = t.next, t.prev
	t.next, t.prev = nil, nil
}

// each calls f, which may put them into another list, for all and counts them.
// What is left of the list isn't one any more.
func (q *timerList) each(f func(*Timer)) (n int) {
	last := q.head.prev
	for t := q.head; ; n++ {
		next := t.next
		f(t)
		if t == last {
			return n + 1
		}
		t = next
	}
}

// append moves another list to the end.
func (q *timerList) append(o timerList) {
	if q.head == nil || o.head == nil {
		if q.head == nil {
			q.head = o.head
		}
		return
	}
	last := o.head.prev
	q.head.prev.next, o.head.prev = o.head, q.head.prev
	last.next, q.head.prev = q.head, last
}

// few says whether the heap can have them all.
func (q *timerList) few() bool {
	t := q.head
	for range wheelFew {
		if t = t.next; t == q.head {
			return true
		}
	}
	return false
}

// The heap is 4-ary: half as deep as a binary one, with the children of a node
// side by side.

func (t *Timer) before(u *Timer) bool {
	return t.at < u.at || t.at == u.at && t.seq < u.seq
}

func (w *wheel) push(t *Timer) {
	t.index = len(w.front)
	w.front = append(w.front, t)
	w.siftUp(t)
}

func (w *wheel) remove(t *Timer) {
	last := len(w.front) - 1
	moved := w.front[last]
	w.front[last] = nil
	w.front = w.front[:last]
	if moved != t {
		moved.index = t.index
		w.front[t.index] = moved
		w.siftUp(moved)
		w.siftDown(moved)
	}
}

func (w *wheel) siftUp(t *Timer) {
	i := t.index
	for i > 0 {
		parent := (i - 1) / 4
		p := w.front[parent]
		if !t.before(p) {
			break
		}
		w.front[i], p.index = p, i
		i = parent
	}
	w.front[i], t.index = t, i
}

func (w *wheel) siftDown(t *Timer) {
	i := t.index
	for {
		least, first := -1, 4*i+1
		for c := first; c < min(first+4, len(w.front)); c++ {
			if least < 0 || w.front[c].before(w.front[least]) {
				least = c
			}
		}
		if least < 0 || !w.front[least].before(t) {
			break
		}
		w.front[i], w.front[least].index = w.front[least], i
		i = least
	}
	w.front[i], t.index = t, i
}
