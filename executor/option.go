// SPDX-License-Identifier: Apache-2.0

package executor

// Option changes one thing about a new task.
type Option interface {
	apply(t *task)
}

// option is an Option as a function.
type option func(t *task)

func (o option) apply(t *task) { o(t) }

// OnDone is an [Option]: a function that the owner's goroutine calls once, right after
// the end of the task and the drop of its future. The executor doesn't use the task any
// more, so the function may spawn into the same storage. It must not poll. Spawn panics
// if T isn't the task's type.
type OnDone[T any] func(value T, err error, outcome Outcome)

func (f OnDone[T]) apply(t *task) { t.more().onDone = f }

// checkOnDone panics if an OnDone of another type is among the options.
func (t *Task[T]) checkOnDone() {
	if f := t.extra.onDone; f != nil {
		if _, ok := f.(OnDone[T]); !ok {
			panic("executor: Spawn of a Task with an OnDone of another type")
		}
	}
}
