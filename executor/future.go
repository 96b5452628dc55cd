// SPDX-License-Identifier: Apache-2.0

package executor

// Future is something that can be polled.
//
// Poll answers ready, with a value or an error, and isn't called again. Or it answers
// not ready, and has arranged for a wake of cx.Waker(). It must not block: the loop's
// thread is in it. The executor may poll unasked. The error counts only together with
// ready.
//
// # Notes
//
// Poll runs on the owner, never twice at once. A panic in it is the task's error.
// runtime.Goexit in it ends the goroutine that polls, which can't be undone here:
// the task ends with [ErrGoexit], but so does the loop's call.
type Future[T any] interface {
	Poll(cx *Context) (value T, ready bool, err error)
}

// Dropper is implemented by a future that holds something. Drop runs exactly once, on
// the owner, when the future has completed or was cancelled; no poll follows it. A
// panic in it is the task's error, unless the task has one already. It must not call
// runtime.Goexit: the task would never finish.
type Dropper interface {
	Drop()
}

// Unwinder is implemented by a future that needs turns of its own to end.
//
// When its task was cancelled after the first poll, the executor calls Unwind once
// instead of Poll. If it answers done, the executor drops the future, and err is the
// error of the unwinding, if any. Otherwise the executor goes on polling the future at
// its wakes until it is ready, and then drops it. The task's outcome is
// [CancelledRunning] all the same, and its value is lost. A future that awaits others
// hands Unwind on to them.
//
// # Notes
//
// [Local.Free], and other calls that need the storage at once, drop an Unwinder like
// any other future, also in the middle of its unwinding.
type Unwinder interface {
	Unwind(cx *Context) (done bool, err error)
}
