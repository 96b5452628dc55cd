# SPDX-License-Identifier: Apache-2.0
"""What waits between a turn and who reads it."""

from __future__ import annotations

from collections import deque
from typing import Any, Deque, Iterator, List

WINDOW = 128  # items that may be ahead of their reader: a wake of Go's pays for half of them
SHARE = WINDOW // 2  # so many are granted at once
GIVEN = 32  # as WINDOW, for what Go gives to a function: as many as the library holds


class Chunk:
    """What came of one kind in one turn, in order."""

    __slots__ = ("turn", "size", "items")

    def __init__(self, turn: int, items: List[Any]) -> None:
        self.turn = turn
        self.size = len(items)
        self.items: Iterator[Any] = iter(items)


class Inlet:
    """Items, or one-way calls, from the turns to who reads them."""

    __slots__ = ("chunks", "chunk")

    def __init__(self) -> None:
        self.chunks: Deque[Chunk] = deque()
        self.chunk = Chunk(-1, [])  # the one at hand, maybe still the first of `chunks`

    def put(self, turn: int, items: List[Any]) -> None:
        """Adds the items of a turn, unless that was done already."""
        last = self.chunks[-1] if self.chunks else self.chunk
        if last.turn != turn:
            chunks = [Chunk(turn, items[i : i + SHARE]) for i in range(0, len(items), SHARE)]
            self.chunks.extend(chunks)

    def next_chunk(self) -> Chunk:
        """Makes the next chunk the one at hand."""
        # In this order. After an exception in between the chunk comes again, with those of its
        # items that were not read.
        self.chunk = chunk = self.chunks[0]
        self.chunks.popleft()
        return chunk
