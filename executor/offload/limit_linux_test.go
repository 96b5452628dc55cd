// SPDX-License-Identifier: Apache-2.0

package offload

import (
	"io/fs"
	"os"
	"strconv"
	"testing"
	"testing/fstest"

	"github.com/pillion-dev/pillion/executor/internal/test"
)

// machine is a kernel's files with 100 threads, and no limit that matters.
func machine(files map[string]string) fs.FS {
	all := map[string]string{
		"proc/sys/kernel/threads-max": "100000\n",
		"proc/sys/kernel/pid_max":     "4194304\n",
		"proc/loadavg":                "0.00 0.01 0.05 2/100 4711\n",
		"proc/self/cgroup":            "4:memory:/a/b\n0::/user/session\n",
		"proc/self/limits": "Limit                     Soft Limit           Hard Limit           Units     \n" +
			"Max processes             unlimited            unlimited            processes \n" +
			"Max stack size            8388608              unlimited            bytes     \n" +
			"Max address space         unlimited            unlimited            bytes     \n",
		"proc/self/statm":  "1000 500 100 0 0 0 0\n",
		"proc/self/status": "Name:\ttest\nUid:\t1000\t1000\t1000\t1000\nThreads:\t7\nCapEff:\t0000000000000000\n",
		"proc/12/status":   "Uid:\t1000\t1000\t1000\t1000\nThreads:\t7\n",
		"proc/13/status":   "Uid:\t1000\t1000\t1000\t1000\nThreads:\t3\n",
		"proc/14/status":   "Uid:\t1001\t1000\t1000\t1000\nThreads:\t90\n",
	}
	for name, text := range files {
		all[name] = text
	}
	m := make(fstest.MapFS)
	for name, text := range all {
		m[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return m
}

func limits(processes, space string) string {
	return "Max processes             " + processes + "            unlimited            processes \n" +
		"Max stack size            8388608              unlimited            bytes     \n" +
		"Max address space         " + space + "            unlimited            bytes     \n"
}

func TestThreadsLeft(t *testing.T) {
	defer func(old fs.FS) { root = old }(root)
	stack := int64(8<<20 + os.Getpagesize())
	space := strconv.FormatInt(1000*int64(os.Getpagesize())+9*stack+1, 10)
	for name, c := range map[string]struct {
		files map[string]string
		left  int
	}{
		"no limit":                 {nil, 20000},
		"threads of the system":    {map[string]string{"proc/sys/kernel/threads-max": "500\n"}, 400},
		"numbers of the system":    {map[string]string{"proc/sys/kernel/pid_max": "300\n"}, 200},
		"processes of the user":    {map[string]string{"proc/self/limits": limits("40", "unlimited")}, 30},
		"far below all processes":  {map[string]string{"proc/self/limits": limits("30000", "unlimited")}, 20000},
		"more than there may be":   {map[string]string{"proc/self/limits": limits("8", "unlimited")}, 0},
		"address space":            {map[string]string{"proc/self/limits": limits("unlimited", space)}, 9},
		"cgroup":                   {map[string]string{"sys/fs/cgroup/user/session/pids.max": "50\n", "sys/fs/cgroup/user/session/pids.current": "20\n"}, 30},
		"a cgroup without a limit": {map[string]string{"sys/fs/cgroup/user/session/pids.max": "max\n"}, 20000},
		"a cgroup above":           {map[string]string{"sys/fs/cgroup/pids.max": "60\n", "sys/fs/cgroup/pids.current": "20\n"}, 40},
		"a cgroup of version 1": {map[string]string{"proc/self/cgroup": "8:pids:/box\n", "sys/fs/cgroup/pids/box/pids.max": "25\n",
			"sys/fs/cgroup/pids/box/pids.current": "20\n"}, 5},
		"a limit that doesn't bind": {map[string]string{"proc/self/limits": limits("40", "unlimited"),
			"proc/self/status": "Uid:\t0\t0\t0\t0\nThreads:\t7\nCapEff:\t000001ffffffffff\n"}, 20000},
	} {
		t.Run(name, func(t *testing.T) {
			root = machine(c.files)
			test.Equal(t, "left", threadsLeft(20000), c.left)
		})
	}
	root = fstest.MapFS{} // nothing is known
	test.Equal(t, "limit", DefaultLimit(), mostWorkers)
	root = machine(map[string]string{"proc/self/limits": limits("11", "unlimited")})
	test.Equal(t, "limit", DefaultLimit(), 1)
}
