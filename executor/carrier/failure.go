// SPDX-License-Identifier: Apache-2.0

package carrier

// Failure is an error as it crosses, in either direction: its code, its message and its
// stack.
type Failure struct {
	Code           int32
	Message, Stack string
}

// Bytes encodes the failure.
func (f Failure) Bytes() []byte {
	b := make([]byte, 0, 12+len(f.Message)+len(f.Stack))
	b = AppendNumber(b, uint32(f.Code))
	b = AppendText(b, f.Message)
	return AppendText(b, f.Stack)
}

// ParseFailure reads a failure, which may be malformed.
func ParseFailure(b []byte) Failure {
	r := Reader(b)
	return Failure{int32(r.Number()), r.Text(), r.Text()}
}

// AppendNumber appends a number, as [Reader.Number] reads it.
func AppendNumber(b []byte, n uint32) []byte {
	return append(b, byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
}

// AppendText appends a text, with its length before it.
func AppendText(b []byte, text string) []byte {
	return append(AppendNumber(b, uint32(len(text))), text...)
}

// Reader reads numbers and texts. What isn't there is 0 and "".
type Reader []byte

// Number reads a number, little endian. Package encoding/binary imports reflect, which is
// much for a WebAssembly module.
func (r *Reader) Number() (n uint32) {
	if b := *r; len(b) >= 4 {
		n = uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
		*r = b[4:]
	}
	return n
}

// Text reads a text.
func (r *Reader) Text() string {
	n := min(uint64(r.Number()), uint64(len(*r)))
	text := string((*r)[:n])
	*r = (*r)[n:]
	return text
}
