// SPDX-License-Identifier: Apache-2.0

package offload

import (
	"io/fs"
	"math"
	"os"
	"path"
	"strconv"
	"strings"
)

// root is where the files of the kernel are. A limit that they don't tell is left out.
var root = os.DirFS("/")

// threadsLeft counts the threads that the process may still start; from enough upwards
// it may give any number.
func threadsLeft(enough int) int {
	total := threadsOfSystem()
	left := min(int64(enough),
		number("proc/sys/kernel/threads-max")-total,
		number("proc/sys/kernel/pid_max")-total,
		leftInCgroups(),
		leftOfMemory())
	if limit, bound := limitOfUser(); bound && limit-total < left {
		left = min(left, limit-threadsOfUser())
	}
	return int(max(left, 0))
}

// unlimited is small enough for sums.
const unlimited = math.MaxInt64 / 2

// read gives a file's text, or none.
func read(name string) string {
	text, _ := fs.ReadFile(root, name)
	return string(text)
}

func number(name string) int64 { return parse(strings.TrimSpace(read(name))) }

func parse(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil { // "max", "unlimited", none
		return unlimited
	}
	return min(n, unlimited)
}

// threadsOfSystem counts those of all users, which costs less than those of one.
func threadsOfSystem() int64 {
	if fields := strings.Fields(read("proc/loadavg")); len(fields) > 3 {
		if _, total, ok := strings.Cut(fields[3], "/"); ok {
			return parse(total)
		}
	}
	return 0
}

// limitOfUser gives RLIMIT_NPROC, and reports whether it binds this process.
func limitOfUser() (limit int64, bound bool) {
	limit = limitNamed("Max processes")
	status := statusOf("self")
	capabilities, _ := strconv.ParseUint(status["CapEff"], 16, 64)
	const sysAdmin, sysResource = 1 << 21, 1 << 24
	return limit, limit < unlimited && capabilities&(sysAdmin|sysResource) == 0
}

// limitNamed is a soft limit by its name in /proc/self/limits.
func limitNamed(name string) int64 {
	for line := range strings.Lines(read("proc/self/limits")) {
		if values, ok := strings.CutPrefix(line, name); ok {
			if fields := strings.Fields(values); len(fields) > 0 {
				return parse(fields[0])
			}
		}
	}
	return unlimited
}

func threadsOfUser() (n int64) {
	user := firstOf(statusOf("self")["Uid"])
	processes, _ := fs.Glob(root, "proc/[0-9]*")
	for _, process := range processes {
		if status := statusOf(path.Base(process)); firstOf(status["Uid"]) == user {
			n += max(1, parse(status["Threads"]))
		}
	}
	return n
}

func statusOf(process string) map[string]string {
	status := make(map[string]string)
	for line := range strings.Lines(read("proc/" + process + "/status")) {
		if name, value, ok := strings.Cut(line, ":"); ok {
			status[name] = strings.TrimSpace(value)
		}
	}
	return status
}

func firstOf(values string) string {
	first, _, _ := strings.Cut(values, "\t")
	return first
}

// leftInCgroups heeds the process's cgroup and those above, of either version.
func leftInCgroups() int64 {
	left := int64(unlimited)
	for line := range strings.Lines(read("proc/self/cgroup")) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(fields) < 3 {
			continue
		}
		mount := "sys/fs/cgroup"
		switch fields[1] {
		case "":
		case "pids":
			mount += "/pids"
		default:
			continue
		}
		for at := path.Join(mount, fields[2]); ; at = path.Dir(at) {
			if limit := number(at + "/pids.max"); limit < unlimited {
				left = min(left, limit-number(at+"/pids.current"))
			}
			if len(at) <= len(mount) {
				break
			}
		}
	}
	return left
}

// leftOfMemory counts the stacks that RLIMIT_AS leaves room for. A thread's stack is
// as large as the limit on stacks.
func leftOfMemory() int64 {
	space := limitNamed("Max address space")
	if space == unlimited {
		return unlimited
	}
	stack := limitNamed("Max stack size")
	if stack == unlimited {
		stack = 2 << 20 // glibc's choice then
	}
	page := int64(os.Getpagesize())
	pages, _, _ := strings.Cut(read("proc/self/statm"), " ")
	return (space - parse(pages)*page) / (stack + page)
}
