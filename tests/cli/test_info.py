"""`llmload info`: this machine for people and programs, and advice that fits the machine at hand."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from llmload import __version__
from llmload.cli.tuning import Client, connections_per_s, tunings
from llmload.load.limits import Limits
from llmload.telemetry.host import Host, host_here
from tests.command import here, llmload

READY = Host(
    system="Linux 6.8 x86_64",
    cpu="AMD EPYC",
    usable_cpus=8,
    all_cpus=8,
    cpu_quota=None,
    memory_bytes=2**34,
    memory_limit_bytes=None,
    container="",
    governor="performance",
    clock="tsc",
    clocks=("tsc", "hpet"),
    is_smt=False,
    swapped_bytes=0,
    ports=28_232,
    reuses_ports=2,
)
FILES = Limits(65_536, 65_536, 28_232)
CLIENT = Client(READY, FILES, has_uvloop=True, vocabularies=("cl100k_base",))


def on(**host: object) -> Client:
    return replace(CLIENT, host=replace(READY, **host))


@pytest.mark.parametrize(
    ("client", "what", "command"),
    [
        pytest.param(on(cpu_quota=1.5), "the container may use 1.5 CPU(s)", "--cpuset-cpus", id="a quota"),
        pytest.param(on(usable_cpus=1), "one CPU is ours to use", "taskset", id="one CPU"),
        pytest.param(on(governor="powersave"), "the CPU governor is powersave", "cpupower", id="a governor"),
        pytest.param(
            on(governor="performance + schedutil"),
            "the CPU governor is performance + schedutil",
            "cpupower",
            id="a governor on some CPUs",
        ),
        pytest.param(on(clock="hpet"), "the clock source is hpet", "echo tsc", id="a slow clock"),
        pytest.param(
            on(clock="acpi_pm", clocks=("acpi_pm",)), "the clock source is acpi_pm", "dmesg", id="no faster clock"
        ),
        pytest.param(
            replace(CLIENT, limits=Limits(1_024, 524_288, None)),
            "a process may have 1,024 files open",
            "ulimit -n 65536",
            id="a soft limit",
        ),
        pytest.param(
            replace(CLIENT, limits=Limits(256, None, None)),
            "a process may have 256 files open",
            "ulimit -n 65536",
            id="a soft limit under no hard one",
        ),
        pytest.param(
            replace(CLIENT, limits=Limits(1_024, 1_024, None)),
            "a process may have 1,024 files open, and not raise that",
            "--ulimit nofile=65536",
            id="a hard limit",
        ),
        pytest.param(on(ports=6_000), "6,000 local ports towards one server", "ip_local_port_range", id="few ports"),
        pytest.param(on(swapped_bytes=2**31), "2.0 GiB lie in swap", "swapoff", id="swap"),
        pytest.param(
            replace(CLIENT, has_uvloop=False), "uvloop is not installed", "pip install uvloop", id="no uvloop"
        ),
        pytest.param(
            replace(CLIENT, vocabularies=()), "there is no vocabulary of tiktoken", "tokens fetch", id="no vocabulary"
        ),
    ],
)
def test_what_a_measurement_would_suffer_from_is_told_with_what_to_type(
    client: Client, what: str, command: str
) -> None:
    (told,) = tunings(client)
    assert told.what == what
    assert command in told.command
    assert told.why


def test_a_machine_that_is_ready_or_that_tells_nothing_gets_no_advice(tmp_path: Path) -> None:
    assert tunings(CLIENT) == ()
    assert tunings(on(reuses_ports=1, ports=6_000)) == ()
    nothing = replace(host_here(tmp_path, {}), usable_cpus=2)
    assert tunings(Client(nothing, Limits(None, None, None), has_uvloop=True, vocabularies=("cl100k_base",))) == ()


def test_connections_that_fit_a_second_follow_from_the_ports() -> None:
    assert connections_per_s(READY) == 470
    assert connections_per_s(replace(READY, reuses_ports=1)) is None
    assert connections_per_s(replace(READY, ports=None)) is None


def test_it_is_one_object_for_programs(tmp_path: Path) -> None:
    done = here("info", "--json", "--store", "runs.db", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told: Mapping[str, Mapping[str, object]] = json.loads(done.stdout)
    assert list(told) == ["versions", "machine", "limits", "client", "gpus", "advice"]
    assert told["versions"]["llmload"] == __version__
    assert told["machine"]["usable_cpus"] == host_here().usable_cpus
    assert (told["client"]["store"], told["client"]["store_exists"]) == (str(tmp_path / "runs.db"), False)


def test_a_path_that_is_no_text_is_no_error(tmp_path: Path) -> None:
    env = {**os.environ, "LLMLOAD_STORE": os.fsdecode(b"/nowhere/\xff.db"), "PYTHONIOENCODING": "utf-8:strict"}
    done = llmload("info", "--json", cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["client"]["store"] == "/nowhere/?.db"


def test_people_read_sections_and_advice_by_number(tmp_path: Path) -> None:
    done = here("info", cwd=tmp_path, env={**os.environ, "LLMLOAD_STORE": "theirs.db"})
    assert done.returncode == 0, done.stderr
    sections = re.findall(r"^(\w+)", done.stdout, flags=re.MULTILINE)
    assert sections == ["versions", "machine", "limits", "client", "gpus", "advice"]
    assert re.search(rf"^  llmload +{re.escape(__version__)}$", done.stdout, flags=re.MULTILINE)
    assert str(tmp_path / "theirs.db") in done.stdout
    assert all(
        len(re.findall(word, done.stdout)) == len(re.findall(r"^  \d+\. ", done.stdout, re.MULTILINE))
        for word in ("  why:  ", "  type: ")
    )


def test_help_has_an_example(tmp_path: Path) -> None:
    done = here("info", "--help", cwd=tmp_path)
    assert "Example: llmload info" in done.stdout
