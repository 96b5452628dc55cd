// SPDX-License-Identifier: Apache-2.0

// Package vector reads vectors.
package vector

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// At is a file, replayed up to a line.
type At struct {
	File string
	Line int
}

// Broken gives up: the vector can't be read.
func (v *At) Broken(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s:%d: %s\n", v.File, v.Line, fmt.Sprintf(format, args...))
	os.Exit(2)
}

// Number gives the number that a word stands for.
func (v *At) Number(word string) int64 {
	if word == "never" {
		return math.MaxInt64
	}
	n, err := strconv.ParseInt(word, 10, 64)
	if err != nil {
		v.Broken("%q is no number", word)
	}
	return n
}

var span = regexp.MustCompile(`^([^0-9]+)([0-9]+)\.\.[^0-9]*([0-9]+)$`)

// Words splits a line; x3..x5 becomes x3 x4 x5.
func Words(line string) []string {
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

// Cut splits words at the first that is sep.
func Cut(words []string, sep string) (before, after []string, found bool) {
	i := slices.Index(words, sep)
	if i < 0 {
		return words, nil, false
	}
	return words[:i], words[i+1:], true
}

// Compare reports whether words are as they should be, and else prints both.
func (v *At) Compare(name string, want, got []string) bool {
	if slices.Equal(want, got) {
		return true
	}
	fmt.Printf("%s:%d: %s\n  want %s\n  got  %s\n", v.File, v.Line, name,
		strings.Join(want, " "), strings.Join(got, " "))
	return false
}

// Totals counts cases.
type Totals struct{ Passed, Failed, Skipped int }

// Add counts one.
func (t *Totals) Add(failed, skipped bool) {
	switch {
	case skipped:
		t.Skipped++
	case failed:
		t.Failed++
	default:
		t.Passed++
	}
}

// Exit prints the totals and ends the process.
func (t *Totals) Exit() {
	fmt.Printf("%d passed, %d failed", t.Passed, t.Failed)
	if t.Skipped > 0 {
		fmt.Printf(", %d skipped", t.Skipped)
	}
	fmt.Println()
	if t.Failed > 0 {
		os.Exit(1)
	}
	os.Exit(0)
}

// Case is what a replayer makes of a case.
type Case interface {
	Take(at At, words []string) // a line
	End() (failed, skipped bool)
}

// Replay has the cases of files played.
func Replay(files []string, begin func(at At, name string) Case) *Totals {
	var t Totals
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		var c Case
		for i, line := range strings.Split(string(text), "\n") {
			at, words := At{file, i + 1}, Words(line)
			switch {
			case len(words) == 0:
			case words[0] == "case":
				if c != nil {
					t.Add(c.End())
				}
				c = begin(at, words[1])
			case c == nil:
				at.Broken("no case")
			default:
				c.Take(at, words)
			}
		}
		if c != nil {
			t.Add(c.End())
		}
	}
	return &t
}
