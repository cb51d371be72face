"""Whose GPUs a scenario's `telemetry.gpu` means, and what is said where they are not to be had."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping

import pynvml
import pytest

from llmload.samples import Watched
from llmload.scenario.asked import Auto, Dcgm, Launch, Nvml, ServerUrl, Simulator
from llmload.telemetry.gpu import watched_gpus
from llmload.telemetry.locality import is_here
from llmload.telemetry.recorder import Recorder
from llmload.telemetry.watching import Sources, watching
from tests.telemetry.exporter import Exported, exporting, page
from tests.telemetry.fake_nvml import FakeDriver, FakeGpu
from tests.telemetry.gpu_reading import FIGURES, target_at

HERE, ELSEWHERE = ServerUrl("http://localhost:8000"), ServerUrl("http://192.0.2.7:8000/v1")
OURS = Launch("http://127.0.0.1:8000", ("serve",), {}, 60.0)
Place = ServerUrl | Simulator | Launch


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeDriver]:
    """One GPU on this machine, let go at the end."""
    found = FakeDriver(FakeGpu())
    monkeypatch.setitem(sys.modules, "pynvml", found.module())
    yield found
    assert found.users == 0


def seen(source: Auto | Nvml | Dcgm | None, place: Place) -> tuple[int, str]:
    """How many GPUs are watched, and what is said."""
    with watched_gpus(source, target_at(place)) as reader:
        return len(reader.gpus), reader.note


# ---------------------------------------------------------------- whose


@pytest.mark.parametrize(
    ("source", "place", "count"),
    [
        pytest.param(Auto(), HERE, 1, id="auto, of a server here"),
        pytest.param(Auto(), OURS, 1, id="auto, of a server that the run launches"),
        pytest.param(Auto(), Launch("http://192.0.2.7:1", ("serve",), {}, 60.0), 1, id="auto, of a command run here"),
        pytest.param(Auto(), Simulator(), 0, id="auto, of the simulator, which has none"),
        pytest.param(Nvml(), Simulator(), 1, id="nvml, whatever the server is"),
        pytest.param(Nvml(), ELSEWHERE, 1, id="nvml, wherever the server is"),
        pytest.param(None, HERE, 0, id="none"),
    ],
)
def test_a_source_means_the_gpus_of_a_machine(
    driver: FakeDriver, source: Auto | Nvml | None, place: Place, count: int
) -> None:
    assert seen(source, place) == (count, "")


def test_the_gpus_of_another_machine_are_not_those_of_this_one(driver: FakeDriver) -> None:
    count, note = seen(Auto(), ELSEWHERE)
    assert count == 0
    assert note == (
        "no GPU is watched: the server runs on another machine. "
        "Set telemetry.gpu.source to dcgm, where a DCGM exporter tells of them"
    )
    assert not driver.asked


def test_auto_says_nothing_of_a_machine_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", FakeDriver().module())
    assert seen(Auto(), HERE) == (0, "")
    assert seen(Nvml(), HERE)[1].startswith("no GPU is watched: NVIDIA's driver sees no GPU. ")


def test_auto_tells_of_a_driver_that_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", FakeDriver(begins=pynvml.NVMLError_LibRmVersionMismatch).module())
    assert seen(Auto(), HERE)[1].endswith("Restart the machine")


def test_dcgm_means_the_exporter_that_is_named() -> None:
    with exporting(page(Exported())) as exporter:
        assert seen(Dcgm(exporter.url), ELSEWHERE) == (1, "")


@pytest.mark.parametrize(
    ("place", "asked"),
    [
        (ServerUrl("http://user:hunter22@127.0.0.1:8000/v1"), "http://127.0.0.1:9400/metrics"),
        (ServerUrl("https://[::1]:8000"), "http://[::1]:9400/metrics"),
        (OURS, "http://127.0.0.1:9400/metrics"),
        (Simulator(), "http://127.0.0.1:9400/metrics"),
    ],
)
def test_dcgm_without_a_url_means_the_usual_port_of_the_servers_host(place: Place, asked: str) -> None:
    assert f"the DCGM exporter at {asked} does not answer (ConnectError)" in seen(Dcgm(None), place)[1]


# ---------------------------------------------------------------- where


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("localhost", True),
        ("0.0.0.0", True),
        (socket.gethostbyname(socket.gethostname()), True),
        ("192.0.2.7", False),
        ("2001:db8::7", False),
        ("no-such-host.invalid", False),
        ("", False),
        ("a" * 300, False),
    ],
)
def test_a_server_is_here_when_its_address_is_ours(host: str, is_ours: bool) -> None:
    assert is_here(host) is is_ours


# ---------------------------------------------------------------- as they are watched


def watched(driver: FakeDriver, hangs: Mapping[str, threading.Event]) -> Watched:
    """A window of a watch, in which some functions of the driver hang."""
    with watched_gpus(Nvml(), target_at(HERE)) as reader, watching(Sources(reader)) as watch:
        watch.begin()
        driver.hangs.update(hangs)
        return watch.end()


def test_a_window_has_a_look_at_each_edge(driver: FakeDriver) -> None:
    found = watched(driver, {})
    assert {one.name for one in found.series} == set(FIGURES)
    assert min(len(one.values) for one in found.series) >= 2
    assert [gpu.key for gpu in found.gpus] == [driver.gpus[0].uuid]
    assert found.notes == ()


def test_a_driver_that_hangs_in_a_window_does_not_hold_up_the_run(driver: FakeDriver) -> None:
    lets_go = threading.Event()
    began = time.monotonic()
    found = watched(driver, {"nvmlDeviceGetUtilizationRates": lets_go})
    assert time.monotonic() - began < 10
    assert {one.name for one in found.series} == set(FIGURES)
    lets_go.set()


def test_a_note_of_a_reader_is_told_once_in_a_run(driver: FakeDriver) -> None:
    driver.gpus[0].errors["nvmlDeviceGetPowerUsage"] = pynvml.NVMLError_NotSupported
    with watched_gpus(Nvml(), target_at(HERE)) as reader:
        recorder = Recorder()
        for _ in range(3):
            reader.read(recorder)
        assert len(recorder.take()[1]) == 1
        reader.read(recorder)
        assert recorder.take()[1] == ()
