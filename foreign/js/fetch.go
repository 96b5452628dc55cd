// SPDX-License-Identifier: Apache-2.0

package js

import (
	"errors"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/carrier"
)

// Request is what [Fetch] requests.
type Request struct {
	Method string // "" is GET
	URL    string
	Header map[string]string
	Body   []byte // nil: none
}

// Response is what the server has answered.
type Response struct {
	Status int
	Header map[string]string // names are in lower case
	Body   []byte
}

// Fetch is the fetch of JavaScript, with the whole body, as a future for one task. A cancel
// of the task aborts it.
//
// # Errors
//
// An error with JavaScript's message if there is no response; one with a status of 400 and
// above is a response.
func Fetch(r Request) executor.Future[Response] { return &fetching{request: r} }

type fetching struct {
	request Request
	ask     *Ask // nil before the first poll and after the answer
}

func (f *fetching) Poll(cx *executor.Context) (r Response, ready bool, err error) {
	if f.ask == nil {
		f.ask = NewAsk(OfFetch, 0, 0, f.request.bytes())
	}
	if f.ask.Await(carrier.Waiter{Task: uint64(cx.Waker())}) {
		return r, false, nil
	}
	payload, status := f.ask.Answer()
	f.ask.Release()
	f.ask = nil
	if status != 0 {
		return r, true, errors.New(carrier.ParseFailure(payload).Message)
	}
	return parseResponse(payload), true, nil
}

// Drop implements [executor.Dropper].
func (f *fetching) Drop() {
	if a := f.ask; a != nil {
		f.ask = nil
		a.Abandon()
	}
}

// bytes are method, URL, the number of header fields, each with its name and its value, 1
// if there is a body, and the body.
func (r *Request) bytes() []byte {
	b := carrier.AppendText(nil, r.Method)
	b = carrier.AppendText(b, r.URL)
	b = carrier.AppendNumber(b, uint32(len(r.Header)))
	for name, value := range r.Header {
		b = carrier.AppendText(carrier.AppendText(b, name), value)
	}
	if r.Body == nil {
		return append(b, 0)
	}
	return append(append(b, 1), r.Body...)
}

// parseResponse reads the status, the header in the same form, and the body.
func parseResponse(b []byte) (r Response) {
	in := carrier.Reader(b)
	r.Status = int(in.Number())
	r.Header = make(map[string]string)
	for range in.Number() {
		name := in.Text()
		r.Header[name] = in.Text()
	}
	r.Body = in
	return r
}
