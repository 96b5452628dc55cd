// SPDX-License-Identifier: Apache-2.0

package simhost

import "github.com/pillion-dev/pillion/executor"

// host drives one executor.
type host struct {
	sim      *Sim
	name     string
	local    *executor.Local
	poked    int64 // when the host sees the poke; Never without one
	deadline int64 // when the host comes for the last turn's deadline
	more     bool
}

// Wake implements [executor.Host].
func (h *host) Wake() error {
	if h.poked != executor.Never {
		h.sim.Errorf("%s was poked twice", h.name)
	}
	h.sim.record(Poked, h.name, 0)
	h.poked = h.sim.late(h.sim.now)
	return nil
}

// turn makes a turn of the executor.
func (h *host) turn() {
	s := h.sim
	var b executor.Budget
	if s.rnd.IntN(4) == 0 {
		b.MaxPolls = 1 + s.rnd.IntN(3)
	}
	h.poked = executor.Never
	s.record(Turned, h.name, int64(b.MaxPolls))
	p, err := h.local.Poll(b)
	if err != nil {
		p = executor.Progress{Deadline: executor.Never} // the executor was freed
	}
	h.more, h.deadline = p.More, s.late(p.Deadline)
	s.record(Polled, h.name, int64(p.Polled))
	if p.Deadline != executor.Never {
		s.record(Waits, h.name, p.Deadline)
	}
}
