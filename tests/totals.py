# SPDX-License-Identifier: Apache-2.0
"""Adds up what the runners in a log counted: passed, failed, skipped."""

import re
import sys

text = open(sys.argv[1], errors="replace").read()
passed = failed = skipped = 0
# go test -v, subtests left out
passed += len(re.findall(r"^--- PASS: ", text, re.M))
failed += len(re.findall(r"^--- FAIL: ", text, re.M))
skipped += len(re.findall(r"^--- SKIP: ", text, re.M))
# cmocka
passed += sum(map(int, re.findall(r"^\[  PASSED  \] (\d+) test\(s\)\.", text, re.M)))
failed += sum(map(int, re.findall(r"^\[  FAILED  \] .*?(\d+) test\(s\), listed", text, re.M)))
# pytest's last line, and the plain "N passed, N failed" of our scripts
for line in re.findall(r"^(?:=+ )?(\d+ (?:passed|failed)[^\n]*)$", text, re.M):
    for number, what in re.findall(r"(\d+) (passed|failed|skipped|error)", line):
        passed += int(number) * (what == "passed")
        failed += int(number) * (what in ("failed", "error"))
        skipped += int(number) * (what == "skipped")
print(passed, failed, skipped)
