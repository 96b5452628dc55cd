// SPDX-License-Identifier: Apache-2.0

package main

// patch is one change to Go's runtime, without which Go harms the process that loads
// it. RATIONALE.md gives the reason of each, and tests/c has a probe for each.
type patch struct {
	name  string
	edits []edit
}

// edit replaces a text that stands exactly once in one of the files, which are below
// GOROOT/src/runtime. Go's version and the processor decide which file has it.
type edit struct {
	files    []string
	old, new string
}

func in(file, old, new string) edit { return edit{[]string{file}, old, new} }

var patches = []patch{
	{"child-signals-blocked", []edit{in("sigtab_linux_generic.go",
		`{_SigNotify + _SigUnblock + _SigIgn, "SIGCHLD`,
		`{_SigNotify + _SigIgn, "SIGCHLD`,
	)}},
	{"profiling-signals-blocked", []edit{in("sigtab_linux_generic.go",
		`{_SigNotify + _SigUnblock, "SIGPROF`,
		`{_SigNotify, "SIGPROF`,
	), in("os_linux.go", // Go's own profiles unblock it on the threads that they measure
		"	mp.profilehz = hz\n",
		`	mp.profilehz = hz
	if !mp.isextra {
		var profiling sigset
		sigaddset(&profiling, _SIGPROF)
		if hz != 0 {
			sigprocmask(_SIG_UNBLOCK, &profiling, nil)
		} else {
			sigprocmask(_SIG_BLOCK, &profiling, nil)
		}
	}
`)}},
	{"handlers-keep-their-flags", []edit{in("signal_unix.go",
		"				setsigstack(i)\n			} else if fwdSig[i] == _SIG_IGN {\n",
		`				if t.flags&_SigSetStack != 0 {
					setsigstack(i)
				}
			} else if fwdSig[i] == _SIG_IGN {
`)}},
	{"preemption-passed-on", []edit{in("signal_unix.go",
		"	if (c.sigFromUser() || flags&_SigPanic == 0) && sig != _SIGPIPE {\n",
		`	if (c.sigFromUser() || flags&_SigPanic == 0) && sig != _SIGPIPE {
		if sig == sigPreempt && fwdFn != _SIG_IGN {
			sigfwd(fwdFn, sig, info, ctx)
		}
`)}},
	{"handlers-reset-once", []edit{in("signal_unix.go",
		"var fwdSig [_NSIG]uintptr\n",
		"var fwdSig [_NSIG]uintptr\n\nvar fwdOnce [_NSIG]bool // it has SA_RESETHAND\n",
	), in("signal_unix.go",
		"		fwdSig[i] = getsig(i)\n",
		`		fwdSig[i] = getsig(i)
		var action sigactiont
		sigaction(i, nil, &action)
		fwdOnce[i] = action.sa_flags&0x80000000 != 0
`,
	), in("signal_unix.go",
		"	// Signal not handled by Go, forward it.\n",
		`	// Signal not handled by Go, forward it.
	if fwdOnce[sig] {
		setsig(sig, _SIG_DFL)
	}
`)}},
	{"threads-are-waited-for", []edit{{[]string{"cgo/gcc_linux_amd64.c", "cgo/gcc_linux_arm64.c", "cgo/pthread_unix.c"},
		"	err = _cgo_try_pthread_create(&p, &attr, threadentry, ts);\n",
		`	for (;;) {
		extern uintptr_t x_cgo_pthread_key_created; /* by the first call into Go: the load is over */
		err = _cgo_try_pthread_create(&p, &attr, threadentry, ts);
		if (err != EAGAIN || errno == ENOMEM || !__atomic_load_n(&x_cgo_pthread_key_created, __ATOMIC_RELAXED)) break;
	}
`,
	}}},
	{"real-time-is-not-inherited", []edit{{[]string{"cgo/gcc_libinit.c", "cgo/pthread_unix.c"},
		"	for (tries = 0; tries < 20; tries++) {\n",
		`#ifdef __linux__
	{
		int policy = sched_getscheduler(0) & ~0x40000000; /* SCHED_RESET_ON_FORK */
		struct sched_param param = {0};
		if (policy == SCHED_FIFO || policy == SCHED_RR) {
			pthread_attr_setinheritsched((pthread_attr_t *)attr, PTHREAD_EXPLICIT_SCHED);
			pthread_attr_setschedpolicy((pthread_attr_t *)attr, SCHED_OTHER);
			pthread_attr_setschedparam((pthread_attr_t *)attr, &param);
		}
	}
#endif
	for (tries = 0; tries < 20; tries++) {
`,
	}}},
	{"children-block-nothing", []edit{in("proc.go",
		"	msigrestore(getg().m.sigmask)\n\n	inForkedChild = false\n",
		"	msigrestore(sigset{})\n\n	inForkedChild = false\n",
	)}},
	{"descriptors-above-stdio", []edit{in("netpoll_epoll.go",
		"		throw(\"runtime: netpollinit failed\")\n	}\n",
		"		throw(\"runtime: netpollinit failed\")\n	}\n	epfd = aboveStdio(epfd)\n",
	), in("netpoll_epoll.go",
		"		throw(\"runtime: eventfd failed\")\n	}\n",
		"		throw(\"runtime: eventfd failed\")\n	}\n	efd = aboveStdio(efd)\n",
	), in("netpoll_epoll.go",
		"func netpollIsPollDescriptor(fd uintptr) bool {\n",
		`// aboveStdio moves a descriptor, if there is another one to be had.
func aboveStdio(fd int32) int32 {
	if fd > 2 {
		return fd
	}
	above, _ := fcntl(fd, 1030, 3) // F_DUPFD_CLOEXEC
	if above < 0 {
		return fd
	}
	closefd(fd)
	return above
}

func netpollIsPollDescriptor(fd uintptr) bool {
`)}},
	{"no-descriptor-stays-open", []edit{in("cgroup_linux.go",
		"	cgroupCPU cgroup.CPU\n",
		"	cgroupMax int32 // as it was at the load\n",
	), in("cgroup_linux.go",
		"		cgroupCPU = c\n",
		"		cgroupMax = adjustCgroupGOMAXPROCS(1<<30, c)\n		c.Close()\n",
	), in("cgroup_linux.go",
		"	return adjustCgroupGOMAXPROCS(procs, cgroupCPU)\n",
		"	return min(procs, cgroupMax)\n",
	)}},
	{"descriptor-limit-stays", []edit{in("../syscall/rlimit.go",
		"	if err := Getrlimit(RLIMIT_NOFILE, &lim); err == nil && lim.Max > 0 && lim.Cur < lim.Max-1 {\n",
		`	const raise = false
	if err := Getrlimit(RLIMIT_NOFILE, &lim); raise && err == nil && lim.Max > 0 && lim.Cur < lim.Max-1 {
`)}},
}
