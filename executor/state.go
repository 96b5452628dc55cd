// SPDX-License-Identifier: Apache-2.0

package executor

// Flags of a task, for the owner only.
const (
	// flagReady says that the task is in the ready ring. It can't be set once the
	// task has finished.
	flagReady = 1 << iota
	// flagStarted says that the future was polled at least once.
	flagStarted
	// flagCancel says that the end was asked for. Unless the task is shielded it is
	// then ready, and its next turn ends the future instead of polling it.
	flagCancel
	// flagCaused says that the error which the end is to have is in its place
	// already. It can't be set without flagCancel.
	flagCaused
	// flagUnwinding says that the end has begun and that the future, an Unwinder,
	// takes turns of its own for it. It can't be set without flagCaused.
	flagUnwinding
	// flagEnding says that the future is being dropped: the slot is gone, and the
	// task can't be made ready any more.
	flagEnding
	// flagHeld says that the task is being polled while another one finishes inside
	// of that poll, and can't be dropped itself.
	flagHeld
	// flagHooked says that polls are entered and left with hooks, which are in the
	// task's extra.
	flagHooked
	// flagLive is set from spawn until the task finishes.
	flagLive
	// flagPooled says that the task is a pool's, in which flagReady means that a poll
	// is due, wherever the task is queued.
	flagPooled
	// flagShortcut says that the runner is a Shortcut. It can't be set beside flagHooked
	// or flagPooled.
	flagShortcut

	// outcomeShift is where the outcome of a finished task lies, above all flags.
	outcomeShift = 14
)
