// SPDX-License-Identifier: Apache-2.0

package js

import "github.com/pillion-dev/pillion/executor/carrier"

// Ask is something that JavaScript does for Go, and answers once. Any goroutine may use it.
type Ask struct {
	ID       uint32
	answered bool
	stopped  bool // JavaScript has been asked to stop
	status   int32
	payload  []byte
	waiter   carrier.Waiter
}

// asks are those without an answer, and those that aren't released, by their ID.
var asks = []*Ask{nil} // 0 is no ID

var unused []uint32

// What an Ask asks for.
const (
	OfFetch    uint32 = iota // see [Fetch]
	FirstOfAsk               // from here on a carrier's
)

// NewAsk asks JavaScript for something: of names the kind, b what of it.
func NewAsk(of, b uint32, milliseconds float64, payload []byte) *Ask {
	a := new(Ask)
	if n := len(unused); n > 0 {
		a.ID = unused[n-1]
		unused = unused[:n-1]
		asks[a.ID] = a
	} else {
		a.ID = uint32(len(asks))
		asks = append(asks, a)
	}
	Tell(Record{What: ToAsk, ID: a.ID, A: of, B: b, Time: milliseconds, Payload: payload})
	return a
}

// Await reports whether w will be told of the answer; if not, it is there.
func (a *Ask) Await(w carrier.Waiter) bool {
	a.waiter = w
	return !a.answered
}

// Answer gives the answer, and 0 or another status.
func (a *Ask) Answer() (payload []byte, status int32) { return a.payload, a.status }

// Cancel asks JavaScript to stop; the answer comes all the same.
func (a *Ask) Cancel() {
	if !a.answered && !a.stopped {
		a.stopped = true
		Tell(Record{What: ToStop, ID: a.ID})
	}
}

// Release ends the use of an Ask that is answered.
func (a *Ask) Release() {
	asks[a.ID] = nil
	unused = append(unused, a.ID)
}

// Abandon cancels an Ask and throws its answer away.
func (a *Ask) Abandon() {
	a.Cancel()
	if !a.Await(carrier.Waiter{Func: a.Release}) {
		a.Release()
	}
}

func init() {
	Handle(ToSettle, func(r Record) {
		if int(r.ID) >= len(asks) || asks[r.ID] == nil || asks[r.ID].answered {
			return
		}
		a := asks[r.ID]
		a.answered, a.payload, a.status = true, r.Payload, int32(r.A)
		Wake(a.waiter)
	})
}
