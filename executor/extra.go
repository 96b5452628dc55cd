// SPDX-License-Identifier: Apache-2.0

package executor

// extra has the fields that only few tasks need. It stays with the storage for the next
// task there.
type extra struct {
	onDone   any // an OnDone of the task's type
	deadline *Timer
	carried  carried
	pin      *pin // of a pool's task, see pool_pin.go
	member   member
}

// more makes the extra of a task that has none yet.
func (t *task) more() *extra {
	if t.extra == nil {
		t.extra = new(extra)
	}
	return t.extra
}

func (x *extra) reset() {
	*x = extra{deadline: x.deadline}
	if x.deadline != nil {
		x.deadline.node.At = Never
	}
}

// newTask makes a task and, if it will need one, its extra in the same piece of memory.
func newTask[T any](withExtra bool) *Task[T] {
	if !withExtra {
		return new(Task[T])
	}
	both := new(struct {
		task  Task[T]
		extra extra
	})
	both.task.extra = &both.extra
	return &both.task
}
