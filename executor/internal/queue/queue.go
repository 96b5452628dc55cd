// SPDX-License-Identifier: Apache-2.0

// Package queue is a queue for one goroutine, or for all that share a lock.
package queue

import "slices"

// Queue gives items in the order of their pushes.
type Queue[T any] struct {
	all  []T
	head int // those before it are taken, and zero
}

// Len counts the items.
func (q *Queue[T]) Len() int { return len(q.all) - q.head }

// Push puts items at the back.
func (q *Queue[T]) Push(items ...T) {
	if len(q.all)+len(items) > cap(q.all) {
		q.makeRoom(len(items))
	}
	q.all = append(q.all, items...)
}

// Grows reports whether a push of n items needs more memory. A half of the memory is
// free after a push that has moved the items, or each push could move all.
func (q *Queue[T]) Grows(n int) bool {
	return len(q.all)+n > cap(q.all) && 2*(q.Len()+n) > cap(q.all)
}

func (q *Queue[T]) makeRoom(n int) {
	to := q.all[:0]
	if q.Grows(n) {
		to = make([]T, 0, max(16, 2*(q.Len()+n)))
	}
	to = append(to, q.all[q.head:]...)
	clear(q.all[len(to):]) // if it is the same memory
	q.all, q.head = to, 0
}

// Pop takes up to len(into) items from the front, and gives their number.
func (q *Queue[T]) Pop(into []T) int {
	n := copy(into, q.all[q.head:])
	clear(q.all[q.head : q.head+n])
	if q.head += n; q.head == len(q.all) {
		q.all, q.head = q.all[:0], 0
	}
	return n
}

// DeleteFunc drops the items for which drop answers true.
func (q *Queue[T]) DeleteFunc(drop func(T) bool) {
	q.all = q.all[:q.head+len(slices.DeleteFunc(q.all[q.head:], drop))]
}
