// SPDX-License-Identifier: Apache-2.0

package executor

import "strconv"

// text is the text of a panic's value, without package fmt, which would make a module half
// as large again.
func text(v any) string {
	switch v := v.(type) {
	case error:
		return v.Error()
	case interface{ String() string }:
		return v.String()
	case string:
		return v
	case int:
		return strconv.Itoa(v)
	}
	return "a value that is no error and no text"
}
