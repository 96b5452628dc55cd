// SPDX-License-Identifier: Apache-2.0

package executor

// TaskLocal is a variable of which each task has its own value. A task that is
// spawned from inside another's poll begins with the values that the other has at
// that moment; what either sets afterwards is its own. On a [Pool] that takes
// [Context.Executor], as the Pool itself doesn't know from where it is called.
//
//	var requestID = executor.NewTaskLocal[string]()
//
//	requestID.Set(cx, "42")
//	id, ok := requestID.Get(cx)
//
// # Notes
//
// A task that has no task-locals pays nothing for them; one that has some inherits
// them with one pointer. Get and Set take time by the number of variables that are
// set.
type TaskLocal[T any] struct {
	_ byte // two keys never have the same address
}

// NewTaskLocal makes a variable. It is for package level, like a context key.
func NewTaskLocal[T any]() *TaskLocal[T] { return new(TaskLocal[T]) }

// Get gives the value that the task which is being polled has, and whether it has
// one.
func (k *TaskLocal[T]) Get(cx *Context) (value T, ok bool) {
	if t := cx.local.current; t != nil && t.extra != nil {
		if b, ok := find(t.extra.carried.locals, k).(*binding[T]); ok {
			return b.value, true
		}
	}
	return value, false
}

// Set gives the variable a value in the task that is being polled, and in those
// that it spawns from now on. Outside of a poll it does nothing.
func (k *TaskLocal[T]) Set(cx *Context, value T) {
	if t := cx.local.current; t != nil {
		k.bind(t, value)
	}
}

// With is an [Option]: the task begins with this value, whatever its spawner has.
func With[T, V any](key *TaskLocal[V], value V) Option[T] {
	return with[T, V]{key, value}
}

type with[T, V any] struct {
	key   *TaskLocal[V]
	value V
}

func (o with[T, V]) apply(t *Task[T]) { o.key.bind(&t.task, o.value) }

func (k *TaskLocal[T]) bind(t *task, value T) {
	c := &t.more().carried
	c.locals = &binding[T]{key: k, value: value, next: without(c.locals, k)}
}

// link is one variable of a task, in a list that is never changed, so that any
// number of tasks can share its tail.
type link interface {
	is(key any) bool
	get() any
	tail() link
	before(next link) link // a copy in front of another tail
}

type binding[T any] struct {
	key   *TaskLocal[T]
	value T
	next  link
}

func (b *binding[T]) is(key any) bool       { return key == any(b.key) }
func (b *binding[T]) get() any              { return b.value }
func (b *binding[T]) tail() link            { return b.next }
func (b *binding[T]) before(next link) link { return &binding[T]{b.key, b.value, next} }

func find(l link, key any) link {
	for ; l != nil; l = l.tail() {
		if l.is(key) {
			return l
		}
	}
	return nil
}

// without gives the list without a key. A list that kept what was overwritten would
// grow in a chain of tasks that each spawn the next.
func without(l link, key any) link {
	switch {
	case find(l, key) == nil:
		return l
	case l.is(key):
		return l.tail()
	}
	return l.before(without(l.tail(), key))
}
