"""CPU time and memory of a command and all the processes it starts, read from /proc (Linux)."""

import contextlib
import ctypes
import os
import pathlib
import signal
import time

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans():
    """Makes this process the parent of every orphan below it, so that none escapes the sums."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def stat_fields(pid):
    """The fields of /proc/PID/stat from the state on; `None` where the process is gone."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None


def processes(but):
    """All processes below this one as {pid: stat fields}, without those of the server, whose pid is `but`."""
    stats = {}
    for name in os.listdir("/proc"):
        fields = stat_fields(name) if name.isdigit() else None
        if fields:
            stats[int(name)] = fields
    found, parents = {}, {os.getpid()}
    while parents:
        children = {pid for pid, fields in stats.items() if int(fields[1]) in parents and pid != but}
        found |= {pid: stats[pid] for pid in children}
        parents = children
    return found


def cpu_s(but):
    """User and system time of all processes below this one, those that ended included."""
    ticks = sum(int(field) for fields in processes(but).values() for field in fields[11:15])
    ended = os.times()
    return ticks / TICKS_PER_S + ended.children_user + ended.children_system


def memory_mb(but):
    """Proportional set size of all processes below this one: memory that several share counts once."""
    total_kib = 0
    for pid in processes(but):
        with contextlib.suppress(OSError):
            text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")
            total_kib += sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return total_kib * 1024 / 1e6


def end(but, grace_s=10):
    """Waits for what a command left running, then ends it by its id."""
    deadline = time.monotonic() + grace_s
    while left := processes(but):
        reap(left)
        if time.monotonic() > deadline:
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def reap(pids):
    """Takes the exit status of adopted processes that ended."""
    for pid in pids:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
