"""What the kernel knows of a process: CPU time, memory, open files."""

from __future__ import annotations

import os
from pathlib import Path


def cpu_ns(pid: int) -> int:
    """CPU time of every thread of a process: the scheduler's own nanoseconds."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)


def peak_bytes(pid: int) -> int:
    """The most resident memory it ever had."""
    return _status(pid, "VmHWM")


def resident_bytes(pid: int) -> int:
    """Its resident memory now."""
    return _status(pid, "VmRSS")


def open_files(pid: int) -> int:
    """Its file descriptors now, sockets included."""
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def family_cpu_ns(eldest: int) -> int:
    """CPU time of a process, of all that descend from it and of those of its session, in the kernel's 10 ms ticks."""
    ticks = {}
    family = {eldest}
    for stat in sorted(Path("/proc").glob("[0-9]*/stat"), key=lambda path: int(path.parent.name)):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:  # it ended while we looked
            continue
        pid, parent, session = int(stat.parent.name), int(fields[1]), int(fields[3])
        ticks[pid] = int(fields[11]) + int(fields[12])
        if parent in family or session == eldest:
            family.add(pid)
    return sum(ticks.get(pid, 0) for pid in family) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def _status(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))
