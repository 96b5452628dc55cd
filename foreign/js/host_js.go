// SPDX-License-Identifier: Apache-2.0

package js

// own are the goroutines of a turn that don't count: the main one, and the turn's.
const own = 2
