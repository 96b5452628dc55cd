// SPDX-License-Identifier: Apache-2.0

package js

import (
	"unsafe"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/carrier"
)

// Record is what one side tells the other. Those that JavaScript tells have the numbers
// that [Handle] was given, and Settled.
type Record struct {
	What, ID, A, B uint32
	Time           float64
	Payload        []byte
}

// What records are.
const (
	ToSettle    uint32 = 1 // to Go: the answer of the Ask with this ID; A is its status
	ToAsk       uint32 = 1 // to JavaScript: an Ask; A and B say of what
	ToStop      uint32 = 2 // to JavaScript: the Ask with this ID is to end, and to be answered
	ToLog       uint32 = 3 // to JavaScript: the payload is a warning
	FirstToGo   uint32 = 8 // from here on a carrier's
	FirstFromGo uint32 = 8
	most               = 32
)

const (
	head     = 32       // bytes before a payload
	beside   = 1 << 10  // a longer payload to JavaScript is not copied into the buffer
	lasting  = 4 << 10  // a longer payload to Go stays in the buffer, which is replaced
	smallest = 16 << 10 // the size of a buffer
)

// page is what JavaScript finds of Go without a call. The order and sizes of its members
// are bindings/browser's, too.
type page struct {
	version uint32
	flags   uint32 // of the latest turn
	turns   uint32 // that have ended
	live    uint32
	in      uint32 // the address of the records to Go
	room    uint32 // how many bytes fit there
	out     uint32 // the address of those to JavaScript
	used    uint32 // how many bytes are there; JavaScript sets it back to 0
	now     float64
	after   float64 // milliseconds from now to the deadline, or -1
}

const (
	version      = 1
	flagMore     = 1 // there is work for another turn
	flagRunnable = 2 // goroutines may wait to run
)

var (
	shared   = page{version: version, after: -1}
	in       = make([]byte, smallest)
	out      = make([]byte, smallest)
	kept     [][]byte // payloads that records name by their address
	handlers [most]func(Record)
)

// Handle sets the handler of one kind of records to Go. It runs in turns, before the tasks.
func Handle(what uint32, f func(r Record)) { handlers[what] = f }

// Tell tells JavaScript something. The payload mustn't change any more. In a turn, or in a
// goroutine, which then gets a turn.
func Tell(r Record) {
	if shared.used == 0 {
		clear(kept)
		kept = kept[:0]
		wakeLater()
	}
	inline := len(r.Payload)
	if inline > beside {
		inline = 0
	}
	at, size := int(shared.used), head+(inline+7)&^7
	if at+size > len(out) {
		bigger := make([]byte, 2*(at+size))
		copy(bigger, out[:at])
		out = bigger
	}
	b := out[at : at+size]
	h := headOf(b)
	*h = recordHead{r.What, r.ID, r.A, r.B, 0, uint32(len(r.Payload)), r.Time}
	if inline == len(r.Payload) {
		copy(b[head:], r.Payload)
	} else {
		h.address = address(r.Payload)
		kept = append(kept, r.Payload)
	}
	shared.out, shared.used = address(out), uint32(at+size)
}

// inTurn is set in turns, after which JavaScript looks at the records anyway.
var inTurn bool

func wakeLater() {
	if !inTurn {
		wake()
	}
}

// recordHead is a record's head in memory. WebAssembly is little endian, and buffers and
// records begin at multiples of 8.
type recordHead struct {
	what, id, a, b, address, length uint32
	time                            float64
}

func headOf(b []byte) *recordHead { return (*recordHead)(unsafe.Pointer(&b[:head][0])) }

func address(b []byte) uint32 { return uint32(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) }

// describe renews the page.
func describe() *page {
	shared.in, shared.room = address(in), uint32(len(in))
	return &shared
}

// grow makes room for so many bytes to Go, of which the first used ones stay.
func grow(used, size uint32) *page {
	if int(size) > len(in) {
		bigger := make([]byte, max(int(size), 2*len(in)))
		copy(bigger, in[:used])
		in = bigger
	}
	return describe()
}

// turn hands out the records and polls the tasks. A turn that never ends has not counted
// itself.
func turn(length uint32, b executor.Budget) {
	inTurn = true
	defer func() { inTurn = false }()
	receive(in[:length])
	if len(in) > smallest {
		in = make([]byte, smallest) // payloads may still be in the other one
	}
	p, err := local.Poll(b)
	if err != nil {
		warn("a turn of the executor failed: " + err.Error())
	}
	s := describe()
	s.flags, s.after, s.live = 0, -1, uint32(p.Live)
	if p.More {
		s.flags |= flagMore
	}
	if runnable() {
		s.flags |= flagRunnable
	}
	if p.Deadline != executor.Never {
		s.after = max(0, float64(p.Deadline)/1e6-s.now)
	}
	s.turns++
}

func receive(b []byte) {
	for len(b) >= head {
		h := headOf(b)
		r := Record{What: h.what, ID: h.id, A: h.a, B: h.b, Time: h.time}
		if n := int(h.length); n > 0 {
			if r.Payload = b[head : head+n : head+n]; n <= lasting {
				r.Payload = append([]byte(nil), r.Payload...)
			}
			b = b[(n+7)&^7:]
		}
		b = b[head:]
		handle(r)
	}
}

// handle contains a panic of a handler's, so that no other record is lost.
func handle(r Record) {
	defer func() {
		if p := recover(); p != nil {
			warn("panic inside Pillion: " + executor.NewPanicError(p).Error())
		}
	}()
	if r.What < most && handlers[r.What] != nil {
		handlers[r.What](r)
	}
}

func warn(text string) { Tell(Record{What: ToLog, Payload: []byte(text)}) }

// Wake tells a waiter.
func Wake(w carrier.Waiter) {
	switch {
	case w.Task != 0 && inTurn:
		local.WakeLocal(executor.Waker(w.Task))
	case w.Task != 0:
		executor.Waker(w.Task).Wake()
	case w.Func != nil:
		w.Func()
	}
}
