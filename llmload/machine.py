"""How much of this machine is ours to use."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUP = Path("/proc/self/cgroup")
_MEMORY_LIMITS = ("memory.max", "memory.limit_in_bytes")
_NO_LIMIT = 2**60  # v1 writes the largest multiple of a page below 2**63


def usable_cpus(cgroups: Path = _CGROUPS, own_cgroup: Path = _OWN_CGROUP) -> int:
    """CPUs that this process may use: those it may run on, and no more than its container's quota pays for."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([allowed, *map(math.ceil, _quotas(cgroups, own_cgroup))]))


def cpu_quota(cgroups: Path = _CGROUPS, own_cgroup: Path = _OWN_CGROUP) -> float | None:
    """CPUs that the container of this process pays for, such as 1.5; None without a quota."""
    return min(_quotas(cgroups, own_cgroup), default=None)


def memory_limit_bytes(cgroups: Path = _CGROUPS, own_cgroup: Path = _OWN_CGROUP) -> int | None:
    """The most memory that the container of this process may have: `memory.max` of cgroup v2, or the limit of v1."""
    folders = [*_folders(cgroups, own_cgroup), cgroups / "memory", cgroups / "memory" / _own_v1(own_cgroup, "memory")]
    words = [word for folder in folders for name in _MEMORY_LIMITS for word in _words(folder / name)]
    return min((int(word) for word in words if word.isdigit() and int(word) < _NO_LIMIT), default=None)


def _own_v1(own_cgroup: Path, controller: str) -> str:
    """The path of our own cgroup under one controller of v1."""
    fields = [line.split(":", 2) for line in _text(own_cgroup).splitlines()]
    paths = [each[2] for each in fields if len(each) == 3 and controller in each[1].split(",")]
    return paths[0].lstrip("/") if paths and ".." not in paths[0] else ""


def _quotas(cgroups: Path, own_cgroup: Path) -> Iterator[float]:
    """CPUs of each quota above us: `cpu.max` of cgroup v2 up to the root, `cpu.cfs_quota_us` of v1."""
    for folder in _folders(cgroups, own_cgroup):
        for words in (_words(folder / "cpu.max"), _v1(folder / "cpu"), _v1(folder)):
            if len(words) == 2 and all(word.isdigit() for word in words) and int(words[0]) and int(words[1]):
                yield int(words[0]) / int(words[1])


def _folders(cgroups: Path, own_cgroup: Path) -> Iterator[Path]:
    """Our own cgroup and all above it; a container often sees only the root, which is its own."""
    lines = _text(own_cgroup).splitlines()
    path = next((line.split("::", 1)[1] for line in lines if line.startswith("0::")), "/")
    own = Path(path.strip().lstrip("/"))
    if ".." not in own.parts:  # a cgroup outside of our namespace
        yield from (cgroups / part for part in (own, *own.parents))


def _v1(folder: Path) -> list[str]:
    return [*_words(folder / "cpu.cfs_quota_us"), *_words(folder / "cpu.cfs_period_us")]


def _words(file: Path) -> list[str]:
    return _text(file).split()


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii")
    except (OSError, ValueError):  # not Linux, no such controller, or hidden from us
        return ""
