// SPDX-License-Identifier: Apache-2.0

package executor

// Flags of a task, for the owner only.
const (
	// flagReady says that the task is in the ready ring. It can't be set once the
	// task has finished.
	flagReady = 1 << iota
	// flagStarted says that the future has had its first poll.
	flagStarted
	// flagCancel says that a request for the end has come. Unless the task is shielded
	// it is ready then, and its next turn ends the future instead of polling it.
	flagCancel
	// flagCaused says that the task's err has the cause of its end already. It can't be
	// set without flagCancel.
	flagCaused
	// flagUnwinding says that the end has begun, and that the future, an Unwinder,
	// takes turns for it. It can't be set without flagCaused.
	flagUnwinding
	// flagEnding says that the drop of the future has begun: the slot is gone, and the
	// task can't become ready any more.
	flagEnding
	// flagHeld says that another task finishes inside this task's poll, so that this
	// task can't be dropped.
	flagHeld
	// flagHooked says that hooks, in the task's extra, enter and leave its polls.
	flagHooked
	// flagLive is set from spawn until the task finishes.
	flagLive
	// flagPooled says that the task is a pool's. Its flagReady means that a poll is
	// due, wherever the task is queued.
	flagPooled
	// flagShortcut says that the runner is a shortcut. It can't be set beside flagHooked
	// or flagPooled.
	flagShortcut

	// outcomeShift is the place of a finished task's outcome, above all flags.
	outcomeShift = 14
)
