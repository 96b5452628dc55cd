// SPDX-License-Identifier: Apache-2.0

// Local replays vectors on the executor in Go:
//
//	go run ./tests/conformance/local FILE...
//
// It prints each case that went differently, and the totals. The exit code is 1
// if one did, and 2 if a vector can't be read.
package main

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// vector is a file, replayed up to a line.
type vector struct {
	file string
	line int
}

// broken gives up: the vector can't be read.
func (v *vector) broken(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s:%d: %s\n", v.file, v.line, fmt.Sprintf(format, args...))
	os.Exit(2)
}

func (v *vector) number(word string) int64 {
	if word == "never" {
		return math.MaxInt64
	}
	n, err := strconv.ParseInt(word, 10, 64)
	if err != nil {
		v.broken("%q is no number", word)
	}
	return n
}

var span = regexp.MustCompile(`^([^0-9]+)([0-9]+)\.\.[^0-9]*([0-9]+)$`)

// words splits a line; x3..x5 becomes x3 x4 x5.
func words(line string) []string {
	var all []string
	for _, w := range strings.Fields(line) {
		if strings.HasPrefix(w, "#") {
			break
		}
		m := span.FindStringSubmatch(w)
		if m == nil {
			all = append(all, w)
			continue
		}
		from, _ := strconv.Atoi(m[2])
		to, _ := strconv.Atoi(m[3])
		for i := from; i <= to; i++ {
			all = append(all, m[1]+strconv.Itoa(i))
		}
	}
	return all
}

// cut splits words at the first that is sep.
func cut(words []string, sep string) (before, after []string, found bool) {
	i := slices.Index(words, sep)
	if i < 0 {
		return words, nil, false
	}
	return words[:i], words[i+1:], true
}
