// SPDX-License-Identifier: Apache-2.0

package executor

// Bits of a cell's pend word, shared with C.
const (
	// pendQueued says that the cell is in an inbox or about to be put there by
	// whoever set it. It is cleared by the owner when it pops the cell. A slot
	// can't be given to another task while it is set.
	pendQueued = 1
	// pendWake asks for a poll.
	pendWake = 2
	// pendCancel asks for the end.
	pendCancel = 4
	// pendExpired, with pendCancel, says that this is a deadline's doing. Only Go
	// sets it.
	pendExpired = 8
	// pendClose asks for the end of a watch.
	pendClose = 32
	// eventsShift is where the events lie that a host in C reports for a watch.
	eventsShift = 8
)

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

// The parking word of a Local: two bits and a count above them.
//
//	idle ──waker──► awake, with a poker ──waker──► awake
//	  │ ▲                     │                      │
//	  │ │                     ▼                      ▼
//	  └─┴──────Poll──────── awake ◄──────Poll────────┘
//
// A waker that finds the executor idle sets awake, is counted as a poker, calls the
// host once and isn't counted any more. It looks at nothing after that: so a wake
// costs one call of the host, wherever the scheduler puts its thread. A turn sets
// awake, too, and the end of one that has nothing left clears it, whether there are
// pokers or not; one of those may call the host late, for a turn that finds nothing.
// A turn that has told its host of more leaves awake set, which is why a busy
// executor is never poked and a busy turn does no locked instruction.
const (
	parkAwake uint32 = 1
	// parkFreed is final, and set once no poker is counted. A waker that still finds
	// it forwards what it pushed.
	parkFreed uint32 = 2
	// parkPoker is one poker.
	parkPoker uint32 = 4
)
