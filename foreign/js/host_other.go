// SPDX-License-Identifier: Apache-2.0

//go:build !wasm

package js

// Elsewhere there is no JavaScript: nothing makes turns.

func wake() {}

func runnable() bool { return false }
