"""What a machine allows is asked before the load: both sides of each limit, and what to do."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from llmload.errors import ClientError
from llmload.load.limits import FILES_BESIDE, Limits, check, limits_here

SMALL = Limits(soft_files=1024, hard_files=4096, ports=28_232)


@pytest.mark.parametrize(
    ("connections", "workers", "limits"),
    [
        pytest.param(1024 - FILES_BESIDE, 1, SMALL, id="all that the soft limit has room for"),
        pytest.param(2 * (1024 - FILES_BESIDE), 2, SMALL, id="half as many in each of two workers"),
        pytest.param(28_232, 100, SMALL, id="all local ports"),
        pytest.param(10**6, 1, Limits(None, None, None), id="nothing is limited or known"),
    ],
)
def test_what_fits_needs_no_word(connections: int, workers: int, limits: Limits) -> None:
    assert check(connections, workers, limits) is None


@pytest.mark.parametrize(
    "connections",
    [pytest.param(1025 - FILES_BESIDE, id="one more"), pytest.param(4096 - FILES_BESIDE, id="up to the hard limit")],
)
def test_a_soft_limit_that_workers_raise_is_told(connections: int) -> None:
    caveat = check(connections, 1, SMALL)
    assert caveat is not None
    assert not caveat.is_fatal
    assert "soft limit of 1,024" in caveat.figure
    assert f"ulimit -n {connections + FILES_BESIDE}" in caveat.remedy


@pytest.mark.parametrize(
    ("connections", "workers", "problem", "remedy"),
    [
        pytest.param(4097 - FILES_BESIDE, 1, "need 4,097 open files", "ulimit -Hn", id="one file too many"),
        pytest.param(2 * (4096 - FILES_BESIDE) + 1, 2, "of 2 workers need 4,097", "load.workers", id="in two workers"),
        pytest.param(28_233, 100, "28,232", "net.ipv4.ip_local_port_range", id="one port too many"),
    ],
)
def test_what_is_impossible_is_refused_before_any_load(
    connections: int, workers: int, problem: str, remedy: str
) -> None:
    with pytest.raises(ClientError, match=problem) as refused:
        check(connections, workers, SMALL)
    assert remedy in refused.value.remedy
    assert refused.value.exit_code == 5


def test_ports_are_counted_for_each_address_of_the_server() -> None:
    assert check(2 * 28_232, 100, SMALL, addresses=2) is None


def test_this_machine_tells_its_own_limits() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    here = limits_here()
    assert here.soft_files == (None if soft == resource.RLIM_INFINITY else soft)
    assert here.hard_files == (None if hard == resource.RLIM_INFINITY else hard)


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        pytest.param("32768\t60999\n", 28_232, id="as Linux writes it"),
        pytest.param("", None, id="empty"),
        pytest.param("odd even", None, id="no numbers"),
        pytest.param(None, None, id="no such file"),
    ],
)
def test_the_range_of_local_ports_is_read_where_there_is_one(tmp_path: Path, text: str | None, ports: int) -> None:
    file = tmp_path / "ip_local_port_range"
    if text is not None:
        file.write_text(text)
    assert limits_here(file).ports == ports


def test_a_process_raises_its_soft_limit_to_the_hard_one() -> None:
    program = (
        "import resource; from llmload.load.limits import raise_file_limit;"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (100, 200)); raise_file_limit();"
        "print(*resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["200", "200"]
