// SPDX-License-Identifier: Apache-2.0

package future

import (
	"errors"

	"github.com/pillion-dev/pillion/executor"
)

// Both is the value of [Join2].
type Both[A, B any] struct {
	First  A
	Second B
}

// Join2 awaits two futures at once. The first error ends the other future and is the
// result.
//
//	both, err := coro.Await(co, future.Join2(name, size))
//
// # Notes
//
// In Join2, [All], [Race] and [First] one task polls all the futures at each of its
// wakes. For many futures that take many polls each, an [executor.Scope] costs less. A
// future that has to end before it is ready is dropped, or unwound if it is an
// [executor.Unwinder], and the result waits for that.
func Join2[A, B any](a executor.Future[A], b executor.Future[B]) executor.Future[Both[A, B]] {
	j := &join2[A, B]{a: part[A]{future: a}, b: part[B]{future: b}}
	j.both = [2]piece{&j.a, &j.b}
	j.pieces = j.both[:]
	return j
}

type join2[A, B any] struct {
	group
	a    part[A]
	b    part[B]
	both [2]piece
}

func (j *join2[A, B]) Poll(cx *executor.Context) (both Both[A, B], ready bool, err error) {
	if !j.step(cx) {
		return both, false, nil
	}
	if err := j.failure(); err != nil {
		return both, true, err
	}
	return Both[A, B]{j.a.value, j.b.value}, true, nil
}

// All awaits futures at once and gives their values in the same order. The first
// error ends the other futures and is the result.
func All[T any](futures ...executor.Future[T]) executor.Future[[]T] {
	return &all[T]{newMany(anError, futures)}
}

type all[T any] struct{ many[T] }

func (a *all[T]) Poll(cx *executor.Context) (values []T, ready bool, err error) {
	if !a.step(cx) {
		return nil, false, nil
	}
	if err := a.failure(); err != nil {
		return nil, true, err
	}
	values = make([]T, len(a.parts))
	for i := range a.parts {
		values[i] = a.parts[i].value
	}
	return values, true, nil
}

// Race gives the value or the error of the future that is ready first, and ends the
// others. Of futures that are ready in one poll the first argument wins.
func Race[T any](first executor.Future[T], others ...executor.Future[T]) executor.Future[T] {
	return &race[T]{newMany(anything, append([]executor.Future[T]{first}, others...))}
}

// First is [Race] among futures that succeed. If all fail, its error joins all of
// theirs.
func First[T any](first executor.Future[T], others ...executor.Future[T]) executor.Future[T] {
	return &race[T]{newMany(aValue, append([]executor.Future[T]{first}, others...))}
}

type race[T any] struct{ many[T] }

func (r *race[T]) Poll(cx *executor.Context) (value T, ready bool, err error) {
	if !r.step(cx) {
		return value, false, nil
	}
	if r.winner != nil {
		p := r.winner.(*part[T])
		return p.value, true, p.err
	}
	if r.enough == aValue && !r.ending {
		for i := range r.parts {
			err = errors.Join(err, r.parts[i].err)
		}
		return value, true, err
	}
	return value, true, r.failure()
}

// many is a group of futures of one type.
type many[T any] struct {
	group
	parts []part[T]
}

func newMany[T any](e enough, futures []executor.Future[T]) many[T] {
	m := many[T]{group{enough: e, pieces: make([]piece, len(futures))}, make([]part[T], len(futures))}
	for i, f := range futures {
		m.parts[i].future = f
		m.pieces[i] = &m.parts[i]
	}
	return m
}

// enough is the result of one piece that ends the others of its group.
type enough int

const (
	anError enough = iota
	aValue
	anything
)

// group polls pieces that belong together.
type group struct {
	pieces []piece
	enough enough
	ending bool
	winner piece // the piece whose result was enough
}

// step polls the pieces until one was enough and the others have ended too. It reports
// whether no piece is left to poll.
func (g *group) step(cx *executor.Context) (over bool) {
	for i := 0; i < len(g.pieces) && !g.ending; i++ {
		p := g.pieces[i]
		if !p.over() && p.poll(cx) && (g.enough == anything || (g.enough == anError) == (p.failure() != nil)) {
			g.ending, g.winner = true, p
		}
	}
	over = true
	for _, p := range g.pieces {
		if g.ending && !p.over() {
			p.end(cx)
		}
		over = over && p.over()
	}
	return over
}

// Unwind implements [executor.Unwinder].
func (g *group) Unwind(cx *executor.Context) (over bool, err error) {
	g.ending = true
	over = g.step(cx)
	return over, g.failure()
}

// failure gives the error that was enough, or else an error that says more than that
// its future was cancelled.
func (g *group) failure() error {
	if g.winner != nil {
		return g.winner.failure()
	}
	for _, p := range g.pieces {
		if err := p.failure(); err != nil && !errors.Is(err, executor.ErrCancelled) {
			return err
		}
	}
	return nil
}

// Drop implements [executor.Dropper]. It goes on if the drop of a piece panics.
func (g *group) Drop() {
	defer func() {
		if len(g.pieces) > 0 {
			g.Drop()
		}
	}()
	for len(g.pieces) > 0 {
		p := g.pieces[0]
		g.pieces = g.pieces[1:]
		p.drop()
	}
}

// piece is a [part] of any type.
type piece interface {
	poll(cx *executor.Context) (ended bool)
	end(cx *executor.Context)
	drop()
	over() bool
	failure() error
}

// part is a future inside another future.
type part[T any] struct {
	future    executor.Future[T] // nil once it has ended
	polled    bool
	unwinding bool
	value     T
	err       error
}

func (p *part[T]) over() bool     { return p.future == nil }
func (p *part[T]) failure() error { return p.err }

func (p *part[T]) poll(cx *executor.Context) (ended bool) {
	p.polled = true
	value, ready, err := p.future.Poll(cx)
	if ready {
		p.value, p.err = value, err
		p.drop()
	}
	return ready
}

// end begins the end of the future, or goes on with it.
func (p *part[T]) end(cx *executor.Context) {
	if p.unwinding {
		p.poll(cx)
		return
	}
	p.unwinding = true
	if u, ok := p.future.(executor.Unwinder); ok && p.polled {
		done, err := u.Unwind(cx)
		if !done {
			return
		}
		p.err = err
	}
	p.drop()
}

func (p *part[T]) drop() {
	if f := p.future; f != nil {
		p.future = nil
		Drop(f)
	}
}
