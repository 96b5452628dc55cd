// SPDX-License-Identifier: Apache-2.0

package executor

// The parking word of a Local: two bits and a count above them.
//
//	idle ──waker──► awake, with a poker ──waker──► awake
//	  │ ▲                     │                      │
//	  │ │                     ▼                      ▼
//	  └─┴──────Poll──────── awake ◄──────Poll────────┘
//
// A waker that finds the executor idle sets awake, counts itself as a poker, calls the
// host once, and counts itself out. It looks at nothing after that, so a wake costs one
// call of the host, wherever the scheduler puts its thread. A turn sets awake, too. A
// turn that ends with no work left clears awake, also while there are pokers; such a
// poker may call the host late, for a turn that finds no work. A turn that has told its
// host of more leaves awake set. So no waker pokes a busy executor, and a busy turn
// does no locked instruction.
const (
	parkAwake uint32 = 1
	// parkFreed is final. Free sets it once no poker is counted. A waker that finds it
	// forwards the cell that it has pushed.
	parkFreed uint32 = 2
	// parkPoker is one poker.
	parkPoker uint32 = 4
)

// wakeHost tells the host that the owner has made work outside of a turn. A spawn does
// it each time, so the usual case, a host that knows already, costs no call.
func (l *Local) wakeHost() {
	if !l.polling && l.park.Load()&parkAwake == 0 {
		l.poke()
	}
}

func (l *Local) freed() bool { return l.park.Load()&parkFreed != 0 }

// poke tells the host, and reports whether it did: it doesn't if another waker just
// does, or if the owner is awake.
func (l *Local) poke() bool {
	for {
		park := l.park.Load()
		if park&(parkAwake|parkFreed) != 0 {
			return false
		}
		if l.park.CompareAndSwap(park, park+parkAwake+parkPoker) {
			break
		}
	}
	_ = l.host.Wake()
	l.park.Add(^parkPoker + 1)
	return true
}

// rest goes idle, unless work has come meanwhile.
func (l *Local) rest() bool {
	if l.ready.len() > 0 || !l.inbox.Empty() || l.worker != nil && l.worker.waiting() > 0 {
		return false
	}
	l.park.And(^parkAwake)
	// A poster that pushed before this saw no need to poke.
	if l.inbox.Empty() && l.closing.Load() == l.closed &&
		(l.worker == nil || l.worker.register()) {
		return true
	}
	l.park.Or(parkAwake)
	return false
}
