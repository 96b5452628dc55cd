// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"github.com/pillion-dev/pillion/executor/internal/cell"
	"github.com/pillion-dev/pillion/executor/internal/steal"
)

// poke tells the host of an idle worker that there is work, if there is one. Unless
// among is nil, only workers in among count.
func (p *Pool) poke(among *steal.Set) {
	for {
		i := p.idle.Take(among)
		if i < 0 {
			return
		}
		// If that worker is awake it looks for work unasked. By now its place may be
		// empty, or another worker's, which is then poked in vain.
		if w := p.members[i].Load(); w != nil && w.local.poke() {
			return
		}
	}
}

// push gives a cell that has Queued to its task's pin, or to whichever worker
// comes first.
func (p *Pool) push(c *chunk, slot uint32) {
	if at := c.tasks[slot&cell.Mask].pin(); at != nil {
		at.push(p, slot)
		return
	}
	p.inbox.Push(slot)
	p.poke(nil)
	if p.gone.Load() {
		p.forward()
	}
}

func (p *Pool) forward() {
	forward(p.inbox, func(c *chunk) bool { return c.pool.Load() == p })
}
