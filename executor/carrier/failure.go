// SPDX-License-Identifier: Apache-2.0

package carrier

import "encoding/binary"

// Failure is an error as it crosses, in either direction: its code, its message and its
// stack, each text with its length before it.
type Failure struct {
	Code           int32
	Message, Stack string
}

// Bytes encodes the failure.
func (f Failure) Bytes() []byte {
	b := make([]byte, 0, 12+len(f.Message)+len(f.Stack))
	b = binary.NativeEndian.AppendUint32(b, uint32(f.Code))
	b = binary.NativeEndian.AppendUint32(b, uint32(len(f.Message)))
	b = append(b, f.Message...)
	b = binary.NativeEndian.AppendUint32(b, uint32(len(f.Stack)))
	return append(b, f.Stack...)
}

// ParseFailure reads a failure, which may be malformed.
func ParseFailure(b []byte) (f Failure) {
	number := func() (n uint32) {
		if len(b) >= 4 {
			n, b = binary.NativeEndian.Uint32(b), b[4:]
		}
		return n
	}
	text := func() (s string) {
		n := min(uint64(number()), uint64(len(b)))
		s, b = string(b[:n]), b[n:]
		return s
	}
	f.Code = int32(number())
	f.Message, f.Stack = text(), text()
	return f
}
