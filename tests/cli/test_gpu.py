"""`llmload gpu`: a table, a document, a watch that goes on; on machines with and without GPUs."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pynvml
import pytest

from tests.command import LLMLOAD, UNCOVERED, here, start
from tests.telemetry.exporter import BUSY, FIRST_UUID, HOPPER, SECOND_UUID, Exported, exporting, page
from tests.telemetry.fake_nvml import GIB, FakeDriver, FakeGpu

TWO = page(Exported(), Exported(1, SECOND_UUID, values={"DCGM_FI_DEV_GPU_UTIL": 3}))


def install(monkeypatch: pytest.MonkeyPatch, driver: FakeDriver) -> FakeDriver:
    """Put a driver in the place of the real one."""
    monkeypatch.setitem(sys.modules, "pynvml", driver.module())
    return driver


# ---------------------------------------------------------------- this machine


def test_the_gpus_of_this_machine_are_a_table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    capped = FakeGpu(reasons=pynvml.nvmlClocksEventReasonSwPowerCap)
    small = FakeGpu(
        "NVIDIA T400", "GPU-2", 3, (GIB, 4 * GIB, 0), errors={"nvmlDeviceGetPowerUsage": pynvml.NVMLError_NotSupported}
    )
    driver = install(monkeypatch, FakeDriver(capped, small))
    done = here("gpu", cwd=tmp_path)
    assert done.returncode == 0
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert lines == [
        "GPU name use % memory GiB temp. °C power W SM MHz memory MHz slowed down by",
        "0 NVIDIA H100 80GB HBM3 87 60.0 / 80.0 64 512 / 700 1,980 2,619 power cap",
        "1 NVIDIA T400 3 1.0 / 4.0 64 n/a 1,980 2,619",
        "NVIDIA's driver does not tell of NVIDIA T400: power (not supported)",
    ]
    assert driver.users == 0


def test_the_document_has_every_figure_or_null(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install(
        monkeypatch, FakeDriver(FakeGpu(errors={"nvmlDeviceGetTotalEnergyConsumption": pynvml.NVMLError_NotSupported}))
    )
    done = here("gpu", "--json", cwd=tmp_path)
    (gpu,) = json.loads(done.stdout)
    at = gpu.pop("at")
    assert at.endswith("Z")
    assert gpu == {
        "host": None,
        "index": 0,
        "name": HOPPER,
        "uuid": "GPU-11111111-0000-0000-0000-000000000000",
        "mig": None,
        "driver": "570.86.15",
        "memory_total_bytes": 80 * GIB,
        "power_limit_w": 700.0,
        "utilisation": 0.87,
        "memory_bytes": 60.0 * GIB,
        "temperature_c": 64.0,
        "power_w": 512.3,
        "sm_clock_mhz": 1980.0,
        "memory_clock_mhz": 2619.0,
        "throttle_reasons": 0,
        "slowed_down_by": [],
        "energy_j": None,
    }


def test_a_machine_without_a_gpu_is_an_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install(monkeypatch, FakeDriver())
    said = "no GPU is watched: NVIDIA's driver sees no GPU. Name a DCGM exporter, if the server is elsewhere\n"
    for arguments in ((), ("--watch",)):
        done = here("gpu", *arguments, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (0, said)
    for arguments in (("--json",), ("--json", "--watch")):
        done = here("gpu", *arguments, cwd=tmp_path)
        assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", f"llmload: {said}")


def test_names_of_a_driver_cannot_move_the_cursor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install(monkeypatch, FakeDriver(FakeGpu(name="\x1b[2J[bold]H100\u202e\nGPU", uuid="\x1b]0;owned\x07")))
    for arguments in ((), ("--json",)):
        done = here("gpu", *arguments, cwd=tmp_path)
        assert "[bold]H100 GPU" in done.stdout
        assert "\x1b" not in done.stdout
        assert "\\u001b" not in done.stdout


# ---------------------------------------------------------------- another machine


def test_the_gpus_of_an_exporter_are_named_with_their_hosts(tmp_path: Path) -> None:
    sliced = Exported(2, "GPU-3", host="node-b", instance="7", profile="1g.10gb", values=BUSY)
    with exporting(page(Exported(), sliced)) as exporter:
        done = here("gpu", "--url", exporter.url, cwd=tmp_path)
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert lines[1].startswith("node-a/0 NVIDIA H100 80GB HBM3 87 59.6 / 79.6 64 512 / 700")
    assert lines[2].startswith("node-b/2 NVIDIA H100 80GB HBM3 MIG 1g.10gb 87 59.6 / 79.6 64 n/a")
    assert lines[3] == "power and energy of MIG instances are those of the whole card, and left out"


def test_an_exporter_that_does_not_answer_is_an_error(tmp_path: Path) -> None:
    done = here("gpu", "--url", "http://me:hunter22@127.0.0.1:9/metrics", "--json", cwd=tmp_path)
    assert done.returncode == 5
    assert done.stdout == ""
    assert "does not answer" in done.stderr
    assert "hunter22" not in done.stderr


# ---------------------------------------------------------------- a watch


def test_a_watch_prints_a_line_each_second_until_ctrl_c_which_is_no_failure(tmp_path: Path) -> None:
    with exporting(TWO) as exporter, start("gpu", "--watch", "--json", "--url", exporter.url, cwd=tmp_path) as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        exporter.body = page(Exported(values={"DCGM_FI_DEV_GPU_UTIL": 12})).encode()
        began = time.monotonic()
        second = json.loads(process.stdout.readline())
        took = time.monotonic() - began
        process.send_signal(signal.SIGINT)
        rest, err = process.communicate(timeout=20)
    assert [gpu["utilisation"] for gpu in first] == pytest.approx([0.87, 0.03])
    assert [(gpu["uuid"], gpu["utilisation"]) for gpu in second] == [(FIRST_UUID, 0.12), (SECOND_UUID, None)]
    assert 0.5 < took < 5
    assert (process.returncode, err) == (0, "")
    assert all(json.loads(line) for line in rest.splitlines())


def test_a_watch_into_a_file_has_the_time_and_the_units_in_each_line(tmp_path: Path) -> None:
    with exporting(TWO) as exporter, start("gpu", "--watch", "--url", exporter.url, cwd=tmp_path) as process:
        assert process.stdout is not None
        first, second = process.stdout.readline(), process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    assert process.returncode == 0
    assert first[:4].isdecimal()
    figures = "87 %  59.6 / 79.6 GiB  64 °C  512 / 700 W  1,980 MHz  2,619 MHz  power cap"
    assert first[21:].strip() == f"node-a/0  {HOPPER}  {figures}"
    assert second[21:].strip() == f"node-a/1  {HOPPER}  3 %  n/a  n/a  n/a  n/a  n/a  n/a"


def test_a_terminal_shows_one_table_that_changes(tmp_path: Path) -> None:
    with exporting(TWO) as exporter:
        ours, theirs = pty.openpty()
        env = {**UNCOVERED, "TERM": "xterm", "COLUMNS": "80", "LINES": "40"}
        command = [LLMLOAD, "gpu", "--watch", "--url", exporter.url]
        with subprocess.Popen(command, stdout=theirs, stderr=theirs, cwd=tmp_path, env=env) as process:
            os.close(theirs)
            shown = _until(ours, "59.6 / 79.6")
            exporter.body = page(Exported(values={"DCGM_FI_DEV_GPU_UTIL": 12})).encode()
            shown += _until(ours, " 12 ")
            process.send_signal(signal.SIGINT)
            code = process.wait(20)
        os.close(ours)
    assert code == 0
    assert "NVIDIA H100" in shown
    assert shown.count("slowed") >= 2
    assert "\x1b[1A" in shown  # drawn again in its place


def test_a_watch_that_a_shell_began_in_the_background_ends_with_ctrl_c_too(tmp_path: Path) -> None:
    with exporting(TWO) as exporter:
        command = ["sh", "-c", 'trap "" INT; exec "$0" "$@"', LLMLOAD, "gpu", "--watch", "--url", exporter.url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=tmp_path, text=True) as process:
            assert process.stdout is not None
            assert "NVIDIA" in process.stdout.readline()
            process.send_signal(signal.SIGINT)
            try:
                process.communicate(timeout=20)
            finally:
                process.kill()
    assert process.returncode == 0


def _until(terminal: int, text: str) -> str:
    """What a terminal shows until some text is there."""
    shown, due = "", time.monotonic() + 30
    while text not in shown:
        assert time.monotonic() < due, shown
        if select.select([terminal], [], [], 0.2)[0]:
            shown += os.read(terminal, 65536).decode(errors="replace")
    return shown


def test_help_has_an_example(tmp_path: Path) -> None:
    done = here("gpu", "--help", cwd=tmp_path)
    assert "Example: llmload gpu --watch" in done.stdout
