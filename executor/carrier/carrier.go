// SPDX-License-Identifier: Apache-2.0

// Package carrier is for packages that carry an executor into C, as capi does: tasks of
// both sides have their cells in one memory, so that wakers are the same 64 bits there.
// [executor.Carrier] has what such packages do with an executor. Programs need neither.
//
// [executor.Carrier]: https://pkg.go.dev/github.com/pillion-dev/pillion/executor#Carrier
package carrier

import "github.com/pillion-dev/pillion/executor/internal/cell"

// Cell is the part of a task that wakers touch.
type Cell = cell.Cell

// ChunkCells is the number of cells in a chunk.
const ChunkCells = cell.Chunk

// Inbox is a stack of cells that have work for one owner.
type Inbox = cell.Inbox

// Arena supplies chunks of cells. Any goroutine may call both methods.
//
// Lease gives a chunk to one owner: its first slot, a multiple of [ChunkCells], and its
// cells. New cells are zero, and returned ones are as they were at their return. The
// memory stays valid for good. Return takes a chunk back. Arenas of one process share
// one space of slots, in which a slot always has the same cell.
type Arena = cell.Arena

// SetArena makes every executor of the process that has no arena of its own take its
// cells from a. It reports whether it did: it is too late once such an executor is made.
func SetArena(a Arena) bool { return cell.SetArena(a) }
