"""How many CPUs a container may use is its quota, not what the machine has."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from llmload.machine import usable_cpus

HERE = len(os.sched_getaffinity(0))


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
    for name, text in files.items():
        file = tmp_path / "cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    own_file = tmp_path / "own"
    own_file.write_text(own)
    assert usable_cpus(tmp_path / "cgroup", own_file) == cpus


def test_where_nothing_is_told_the_affinity_counts(tmp_path: Path) -> None:
    assert usable_cpus(tmp_path / "nothing", tmp_path / "nothing") == HERE
