// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"fmt"
	"testing"

	"github.com/pillion-dev/pillion/executor/internal/test"
)

func TestQueueMovesAndGrows(t *testing.T) {
	var q Queue[int]
	into := make([]int, 40)
	next, want := 1, 1
	for round := range 300 {
		batch := make([]int, round%7*round%90)
		for i := range batch {
			batch[i] = next
			next++
		}
		q.Push(batch...)
		for _, item := range into[:q.Pop(into[:min(40, round%41)])] {
			test.Equal(t, "the item", item, want)
			want++
		}
		test.Equal(t, "length", q.Len(), next-want)
	}
	for n := q.Pop(into); n > 0; n = q.Pop(into) {
		for _, item := range into[:n] {
			test.Equal(t, "the item", item, want)
			want++
		}
	}
	test.Equal(t, "items", want, next)
}

// A collector must not find what was taken.
func TestQueueForgetsWhatItHasGiven(t *testing.T) {
	var q Queue[*int]
	into := make([]*int, 3)
	for range 100 {
		q.Push(new(int), new(int), new(int))
		q.Pop(into[:2])
		q.DeleteFunc(func(p *int) bool { *p++; return *p == 20 })
		items := 0
		for _, p := range q.all[:cap(q.all)] {
			if p != nil {
				items++
			}
		}
		test.Equal(t, "items", items, q.Len())
	}
}

func TestQueueDeletesAnywhere(t *testing.T) {
	var q Queue[int]
	q.Push(0, 1, 2, 3, 4, 5, 6)
	into := make([]int, 2)
	q.Pop(into)
	q.DeleteFunc(func(i int) bool { return i%3 == 0 })
	test.Equal(t, "items", fmt.Sprint(q.all[q.head:]), "[2 4 5]")
}

// Few items that go round need no more memory, and many move seldom.
func TestQueueGrowsSeldom(t *testing.T) {
	var q Queue[int]
	into := make([]int, 1)
	q.Push(make([]int, 5)...)
	memory := cap(q.all)
	for range 1000 {
		test.Equal(t, "grows", q.Grows(1), false)
		q.Push(1)
		q.Pop(into)
	}
	test.Equal(t, "memory", cap(q.all), memory)
	grown := 0
	for range 10_000 {
		if q.Grows(1) {
			grown++
		}
		q.Push(1)
	}
	test.Equal(t, "grown often", grown > 15, false)
}
