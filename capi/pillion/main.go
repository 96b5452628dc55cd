// SPDX-License-Identifier: Apache-2.0

// The stock library: the ABI with no Go functions in it.
package main

import _ "github.com/pillion-dev/pillion/capi"

func main() {}
