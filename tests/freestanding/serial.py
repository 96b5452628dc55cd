# SPDX-License-Identifier: Apache-2.0
"""serial.py COMMAND...: runs a board, and sends it one byte each time that it goes to
sleep without a timer. So each byte has to wake it."""

import subprocess
import sys

LINES = b"hello 1\nhello 2\n"

board = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
assert board.stdin and board.stdout
sent = 0
for line in board.stdout:
    if line.strip() != b"asleep":
        print(line.decode(), end="")
    elif sent < len(LINES):
        board.stdin.write(LINES[sent : sent + 1])
        board.stdin.flush()
        sent += 1
if sent != len(LINES):
    print(f"it slept {sent} times, not {len(LINES)}")
sys.exit(board.wait() or sent != len(LINES))
