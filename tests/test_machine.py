"""How many CPUs a container may use is its quota, not what the machine has."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from llmload.machine import cpu_quota, memory_limit_bytes, usable_cpus

HERE = len(os.sched_getaffinity(0))


def cgroups(folder: Path, files: dict[str, str], own: str) -> tuple[Path, Path]:
    for name, text in {**files, "../own": own}.items():
        file = folder / "cgroup" / name
        (folder / "cgroup").mkdir(exist_ok=True)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder / "cgroup", folder / "own"


@pytest.mark.parametrize(
    ("files", "own", "cpus"),
    [
        ({}, "0::/\n", HERE),
        ({"cpu.max": "max 100000\n"}, "0::/\n", HERE),
        ({"cpu.max": "100000 100000\n"}, "0::/\n", 1),
        ({"cpu.max": "50000 100000\n"}, "0::/\n", 1),
        ({"cpu.max": "100000 0\n"}, "0::/\n", HERE),
        ({"cpu.max": "6400000 100000\n"}, "0::/\n", HERE),
        ({"a/cpu.max": "max 100000\n", "a/b/cpu.max": "max 100000\n"}, "0::/a/b\n", HERE),
        ({"a/cpu.max": "90000 100000\n", "a/b/cpu.max": "max 100000\n"}, "0::/a/b\n", 1),
        ({"other/cpu.max": "90000 100000\n"}, "0::/a\n", HERE),
        ({"cpu.max": "10000 100000\n"}, "0::/../outside\n", HERE),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, "4:cpu:/x\n", HERE),
        ({"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"}, "4:cpu:/x\n", 1),
        ({"cpu.max": "garbage\n"}, "", HERE),
    ],
)
def test_the_smallest_of_affinity_and_quotas(tmp_path: Path, files: dict[str, str], own: str, cpus: int) -> None:
    assert usable_cpus(*cgroups(tmp_path, files, own)) == cpus


def test_where_nothing_is_told_the_affinity_counts(tmp_path: Path) -> None:
    assert usable_cpus(tmp_path / "nothing", tmp_path / "nothing") == HERE


def test_a_quota_is_told_as_it_is(tmp_path: Path) -> None:
    assert cpu_quota(*cgroups(tmp_path, {"cpu.max": "max 100000\n", "a/cpu.max": "150000 100000\n"}, "0::/a\n")) == 1.5


@pytest.mark.parametrize(
    ("files", "own", "limit"),
    [
        ({}, "0::/\n", None),
        ({"memory.max": "max\n"}, "0::/\n", None),
        ({"memory.max": "2147483648\n"}, "0::/\n", 2**31),
        ({"a/memory.max": "1073741824\n", "a/b/memory.max": "max\n"}, "0::/a/b\n", 2**30),
        ({"memory/memory.limit_in_bytes": "9223372036854771712\n"}, "4:memory:/x\n", None),
        ({"memory/x/memory.limit_in_bytes": "1073741824\n"}, "4:memory:/x\n", 2**30),
        ({"memory/memory.limit_in_bytes": "1073741824\n"}, "4:memory:/../x\n", 2**30),
        ({"memory.max": "garbage\n"}, "", None),
    ],
)
def test_the_smallest_limit_of_memory(tmp_path: Path, files: dict[str, str], own: str, limit: int | None) -> None:
    assert memory_limit_bytes(*cgroups(tmp_path, files, own)) == limit
