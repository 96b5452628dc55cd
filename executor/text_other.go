// SPDX-License-Identifier: Apache-2.0

//go:build !wasm

package executor

import "fmt"

// text is the text of a panic's value.
func text(v any) string { return fmt.Sprint(v) }
