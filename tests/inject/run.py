#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
Fails each call of each command of each tool, one after the other, and looks whether the command says so.

usage: run.py [--all] [-v] [NAME...]     $IOMMU_DUMP names the program, $CC the compiler

A command runs once undisturbed. Then each of its allocations fails in turn (shim.c, preloaded), and each of its system calls
(strace -e inject), with the error that the call has in reality. After each run:

  * it ended by itself, in time, and not by a signal; no memory is lost (shim.c, which looks as a leak checker does);
  * it gave what it gives undisturbed, or told on standard error what is wrong, with the reason; a status of 0 only if complete;
  * JSON is JSON, and says "complete":false where something was told;
  * a terminal is as it was before; what ncurses says, shows or loses is not looked at;
  * the file it writes is complete or what it was before, and nothing lies beside it.

Of a build with sanitizers, whose allocator is not to be replaced, only the system calls fail, and the sanitizers look; for leaks the
shim looks, in the build without (LeakSanitizer does not work where strace does).

Without --all a sample is taken of each command and kind of call: the output says how many of how many. Then there are short reads and
writes, and interrupted calls. Status: 0 all well, 1 not, 77 cannot run here. The last line is `N passed, N failed, N skipped`.
"""
import collections
import concurrent.futures
import errno
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

import cases  # noqa: E402
import common  # noqa: E402
import failing  # noqa: E402
import terminal  # noqa: E402

TIMEOUT = 20
MARK = "/inject/begins/here"
BEGINS = "fcntl(0, F_GETFD"  # what a tool does first, where the shim makes no mark (tool_begin() in src/tool/tool.c)
# The one allocation that no test fails. It is the copy of a member's name, which json-c before 0.17 uses without a look at it: NULL as
# the key of an object is a crash in its hash function, and every object that is parsed goes that way (src/lib/discover/notes-read.c).
NOT_OURS = "json_tokener_parse_ex"
SAMPLE = 12  # of each command and kind of call, without --all

# What each call fails with. Not failed: what only the start and the end of a process do, brk(), which allocations stand for, and close(),
# which strace would not make at all, where the kernel closes whatever it answers.
ERRORS = {
    "openat": "EIO", "open": "EIO", "read": "EIO", "pread64": "EIO", "readv": "EIO", "write": "ENOSPC", "writev": "ENOSPC", "pwrite64": "EIO",
    "newfstatat": "EIO", "fstat": "EIO", "stat": "EIO", "lstat": "EIO", "statx": "EIO", "mmap": "ENOMEM", "mprotect": "ENOMEM",
    "fsync": "EIO", "fdatasync": "EIO", "rename": "EIO", "renameat": "EIO", "renameat2": "EIO", "linkat": "EIO", "ftruncate": "ENOSPC",
    "ioctl": "EIO", "getdents64": "EIO", "lseek": "EIO", "access": "EIO", "faccessat": "EIO", "faccessat2": "EIO", "readlink": "EIO",
    "readlinkat": "EIO", "mlock": "ENOMEM", "mlock2": "ENOMEM", "mlockall": "ENOMEM", "flock": "ENOLCK", "fcntl": "EIO",
    "mkdir": "ENOSPC", "mkdirat": "ENOSPC", "unlink": "EIO", "unlinkat": "EIO", "rmdir": "EIO", "fchmod": "EIO", "fchown": "EPERM",
    "chmod": "EIO", "pipe2": "EMFILE", "clone": "EAGAIN", "clone3": "EAGAIN", "vfork": "EAGAIN", "fork": "EAGAIN", "wait4": "ECHILD",
    "waitid": "ECHILD", "uname": "EIO", "sysinfo": "EIO",
    "poll": "ENOMEM", "ppoll": "ENOMEM", "select": "ENOMEM", "pselect6": "ENOMEM", "getrandom": "EIO", "sync": "EIO", "syncfs": "EIO",
    "fallocate": "ENOSPC", "madvise": "ENOMEM", "prlimit64": "EPERM", "sched_setscheduler": "EPERM", "setpriority": "EPERM",
    "copy_file_range": "EIO", "sendfile": "EIO", "msync": "EIO",
}
# What may be interrupted by a signal, as it is on Linux; the rest never returns EINTR.
INTERRUPTED = {"openat", "open", "read", "pread64", "write", "writev", "pwrite64", "flock", "wait4", "waitid", "clock_nanosleep", "poll", "ppoll",
               "select", "pselect6", "fsync", "fdatasync", "ftruncate", "fallocate", "getrandom"}


class Ran:
    """One run of a command: what came out (SAID: without what differs from run to run), and what the shim reports."""

    def __init__(self, status, out, said, err, report, output, beside):
        self.status, self.out, self.said, self.err, self.report, self.output, self.beside = status, out, said, err, report, output, beside


class Bench:
    """Runs a case; a thread has one place for each, which is made anew where the command changes it."""

    def __init__(self, shim):
        self.shim, self.local, self.made = shim, threading.local(), []
        # with the sandbox the shim could not look for what is lost
        self.free = ["--no-sandbox"] if b"--no-sandbox" in common.call("--help").out else []

    def place(self, case):
        mine = self.local.__dict__.setdefault("places", {})
        if case.changes and case.name in mine:
            mine.pop(case.name).doCleanups()
        if case.name not in mine:
            for name in list(mine):
                mine.pop(name).doCleanups()
            mine[case.name] = case.place()
            self.made.append(mine[case.name])
            mine[case.name].before = self.names(mine[case.name])
        return mine[case.name]

    @staticmethod
    def names(place):
        return {os.path.join(d, f) for d, _, files in os.walk(place.dir) for f in files}

    def run(self, case, strace=(), **inject):
        place = self.place(case)
        report = os.path.join(place.dir, "report")
        program, library = common.program_of(case.tool)
        env = {"LD_PRELOAD": " ".join([self.shim, *library]), "INJECT_REPORT": report, "INJECT_NOT": NOT_OURS} if self.shim else {
            "ASAN_OPTIONS": "detect_leaks=0", "LD_LIBRARY_PATH": os.path.dirname(program)}
        env.update({"INJECT_" + k.upper(): str(v) for k, v in {**case.shim, **inject}.items()})
        command = [program, *self.free, *case.args(place)]
        base = {**os.environ, "LC_ALL": "C", "TERM": "dumb", "COLUMNS": "80", **case.env(place)}
        base.pop("LD_LIBRARY_PATH", None)
        if strace:
            command = ["strace", *strace, *(x for k, v in env.items() for x in ("-E", f"{k}={v}")), *command]
        else:
            base.update(env)
        try:
            if case.screen:
                status, out, err = terminal.run(command, base, TIMEOUT)
            else:
                done = subprocess.run(command, input=case.stdin, capture_output=True, env=base, timeout=TIMEOUT, check=False)
                status, out, err = done.returncode, done.stdout, done.stderr
        except subprocess.TimeoutExpired as late:
            status, out, err = None, late.stdout or b"", late.stderr or b""
        return Ran(status, out, self.same(place, out), self.same(place, err), self.reported(report), *self.files(case, place))

    @staticmethod
    def reported(path):
        try:
            with open(path, encoding="ascii") as f:
                return [int(n) for n in f.read().split()]
        except (OSError, ValueError):
            return None

    def files(self, case, place):
        """The output file's content, and which files are there that were not before."""
        output = None
        if case.output and os.path.exists(place.path(case.output)):
            with open(place.path(case.output), "rb") as f:
                output = f.read()
        names = {os.path.relpath(n, place.dir) for n in self.names(place) - place.before}
        return output, sorted(names - {"report", case.output})

    @staticmethod
    def same(place, text):
        """Without what differs from run to run: where the place is, times."""
        text = text.replace(place.dir.encode(), b"PLACE")
        text = re.sub(rb"\s+", b" ", text)
        text = re.sub(rb"\b\d+ us\)", b"0 us)", text)
        text = re.sub(rb"/(kexec-prep|iommu-kexec-prep)[-.]\w{6}", b"/TEMPORARY", text)
        text = re.sub(rb'"(time|at|start|seconds|age|poll|started|last_age|uptime|microseconds)":("[^"]*"|[0-9.e+-]+)', rb'"\1":0', text)
        return re.sub(rb"\b\d+\.\d+( s\b)?", b"0.0", text)


# -- what holds for each run -----------------------------------------------------------------------------------------------------

def reason_of(error):
    """How the words for an error look."""
    if error == "ENOMEM":
        return rb"out of memory|Cannot allocate memory|No memory"
    return re.escape(os.strerror(getattr(errno, error)).encode()) if error else b"."


def json_of(case, out):
    """(values, complaint)"""
    try:
        text = out.decode()
        if case.lines:
            return [json.loads(line) for line in text.splitlines()], None
        return [json.loads(text)], None
    except ValueError as err:
        return [], f"not JSON: {err}"


def said(ran):
    """The messages of a run; their ends of line are gone with other blanks."""
    return re.split(rb" (?=iommu-[a-z-]+: )", ran.err.strip()) if ran.err.strip() else []


def judge(case, good, got, error, wants_json, words):
    """What is wrong with a run in which a call failed: a list of words."""
    wrong = []
    cut, mute = words.startswith("write(1,"), words.startswith("write(2,")  # nobody can hear all of it then
    fresh = [line for line in said(got) if line not in said(good)]
    if got.status is None:
        return ["did not end"]
    if got.status < 0 or got.status > 128:
        return [f"ended by signal {-got.status}"]
    if any(word.encode() in got.err for word in common.SANITIZER):
        return ["a sanitizer reports"]
    if got.status > 7:
        wrong.append(f"status {got.status}")
    if got.report and got.report[3] > case.lost(good, got) and not (got.status == 1 and b"out of memory" in got.err):  # then it ends wherever it is
        wrong.append(f"lost {got.report[3]} blocks")
    same = got.status == good.status if case.screen else (got.status, got.said) == (good.status, good.said)
    reason = reason_of(error)
    shown = bool(re.search(reason, got.said)) and not re.search(reason, good.said)  # as `list` does it: in the answer
    if not same and not fresh and not mute and not shown:
        wrong.append("differs, and says nothing")
    if fresh and not mute and not shown and not case.screen and not re.search(reason, got.err):
        wrong.append("the reason is not told")
    if case.screen and not re.match(r"write\(1,|ioctl\(", words):
        wrong += terminal.left(got.out)
    if wants_json and got.out and not cut:
        values, complaint = json_of(case, got.out)
        if complaint:
            wrong.append(complaint.split(":")[0])
        elif not same and not shown and not case.lines and not words.startswith("mlock") and values[0].get("complete") is not False:
            wrong.append("differs, and is complete")
    if case.output:
        wrong += judge_output(case, good, got)
    left = [n for n in got.beside if n not in good.beside and not (fresh and n == case.stays)]
    if left and not (fresh and re.match("unlink|rmdir", words)):
        wrong.append("left " + " ".join(left))
    return wrong


def judge_output(case, good, got):
    """The file is there as a whole, or as it was."""
    if got.status == 0 and (got.output is None or not case.whole(got.output)):
        return ["status 0 without the output"]
    if got.output not in (None, b"before") and not case.whole(got.output):
        return ["half of the output"]
    return []


# -- the runs of a case ----------------------------------------------------------------------------------------------------------

def calls(log, mark):
    """[(name, number among its kind, text)] of what the program itself called from MARK on, from a log of strace."""
    seen, out, begun = collections.Counter(), [], False
    for line in log.splitlines():
        m = re.match(r"(\w+)\(", line)
        if not m:
            continue
        seen[m.group(1)] += 1
        if begun and "/proc/self/maps" in line:
            break  # the shim's own, at the end
        if begun and not re.search(r'"/etc/|"/usr/|"TZif', line):  # what libc itself looks up: the time zone
            out.append((m.group(1), seen[m.group(1)], line))
        begun = begun or mark in line
    return out


def sample(items, everything):
    """All, or the first ones and some of the rest, spread."""
    items = list(items)
    if everything or len(items) <= SAMPLE:
        return items
    first, rest = items[:SAMPLE // 3], items[SAMPLE // 3:]
    wanted = SAMPLE - len(first)
    return first + [rest[i * len(rest) // wanted] for i in range(wanted)]


def plan(case, bench, everything, tracing, scratch):
    """The undisturbed run, and [(words, error, arguments of run())] for all others."""
    good = bench.run(case)
    if good.report is None and bench.shim:
        raise RuntimeError(f"{case.name}: undisturbed, it ends with {good.status}: {good.err[-300:]!r}")
    total = good.report[0] if bench.shim else 0
    jobs = [(f"allocation {i}", "ENOMEM", {"alloc": i}) for i in sample(range(1, total + 1), everything)]
    jobs += [(f"allocations from {i} on", "ENOMEM", {"alloc": i, "alloc_on": 1}) for i in sample(range(1, total + 1), False)[::3]]
    jobs += [(f"short by {n}", None, {"short": n}) for n in (4, 7) if bench.shim]  # a register in config space comes as a whole
    if tracing:
        log = os.path.join(scratch, case.name + ".log")
        bench.run(case, ["-o", log])
        with open(log, encoding="utf-8", errors="replace") as f:
            made = calls(f.read(), MARK if bench.shim else BEGINS)
        kinds = collections.defaultdict(list)
        for name, number, text in made:
            if not bench.shim and "MAP_ANONYMOUS" in text:
                continue  # the sanitizer's own, which ends without
            kinds[name].append((number, text))
        for name, which in kinds.items():
            for number, text in sample(which, everything):
                for error in [ERRORS.get(name)] + (["EINTR"] if name in INTERRUPTED else []):
                    if error:
                        jobs.append((f"{text[:150]} fails with {error}", error,
                                     {"strace": ["-o", "/dev/null", "-e", f"trace={name}", "-e", f"inject={name}:error={error}:when={number}"]}))
        total += len(made)
    return good, jobs, total


def check(case, bench, everything, tracing, scratch, pool):
    """[(case, words, what is wrong, the run)] and how many runs there were, of how many calls."""
    good, jobs, total = plan(case, bench, everything, tracing, scratch)
    wants_json = "-J" in case.args(bench.place(case))
    bad = []

    def one(job):
        words, error, arguments = job
        got = bench.run(case, **arguments)
        return words, judge(case, good, got, error, wants_json, words), got

    for words, wrong, got in pool.map(one, jobs):
        if wrong:
            bad.append((words, wrong, got))
    return bad, len(jobs), total


def can_trace(scratch):
    try:
        done = subprocess.run(["strace", "-o", os.path.join(scratch, "try"), "-e", "inject=getppid:error=EIO", "true"], capture_output=True,
                              timeout=TIMEOUT, check=False)
    except OSError:
        return False
    return done.returncode == 0


def main():
    everything, verbose = "--all" in sys.argv, "-v" in sys.argv
    names = [a for a in sys.argv[1:] if not a.startswith("-")]
    if common.TOOL is None:
        print("no iommu-dump to test\n0 passed, 0 failed, 1 skipped")
        return 77
    scratch = tempfile.mkdtemp(prefix="inject-")
    try:
        return run(scratch, names, everything, verbose)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def run(scratch, names, everything, verbose):
    sanitized, tracing = common.built_with(common.SANITIZED), can_trace(scratch)  # a sanitizer's allocator is not to be replaced
    shim = None if sanitized else failing.compiled(scratch)
    if not shim and not (sanitized and tracing):
        print(("no strace, or it may not trace" if sanitized else "the shim cannot be compiled here") + "\n0 passed, 0 failed, 1 skipped")
        return 77
    if not tracing:
        print("no strace, or it may not trace: only allocations are failed")
    bench, runs, calls_seen, failed, passed = Bench(shim), 0, 0, 0, 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for case in cases.cases():
            if names and not any(n in case.name for n in names) or "end" in case.shim and not shim:
                continue
            bad, count, total = check(case, bench, everything, tracing, scratch, pool)
            runs, calls_seen = runs + count, calls_seen + total
            failed += bool(bad)
            passed += not bad
            print(f"{'not ok' if bad else 'ok'} {case.name}: {count} runs, {total} calls, {len(bad)} wrong", flush=True)
            summary = collections.Counter(re.sub(r"\d+", "N", "; ".join(w)) for _, w, _ in bad)
            print("".join(f"  {n} times {w}\n" for w, n in summary.items()), end="")
            for words, wrong, got in bad[:None if verbose else 5]:
                print(f"  {words}: {'; '.join(wrong)}\n    status {got.status}, {got.err[-300:]!r}")
    for place in bench.made:
        place.doCleanups()
    print(f"{runs} runs with a failure, of {calls_seen} calls" + ("" if everything else " (a sample; --all fails each)"))
    print(f"{passed} passed, {failed} failed, {0 if tracing else 1} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
