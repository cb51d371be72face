"""Everything that readers of GPUs say to people, said by them."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pynvml
import pytest

from llmload.scenario.asked import Auto, ServerUrl
from llmload.telemetry.gpu import NoGpus, Unreachable, open_exporter, open_here, watched_gpus
from llmload.telemetry.nvml import NvmlGpus, open_driver
from tests.telemetry.exporter import BUSY, Exported, exporting, page
from tests.telemetry.fake_nvml import FakeDriver, FakeGpu
from tests.telemetry.gpu_reading import look, target_at


def said() -> Iterator[str]:
    """Notes of every kind."""
    with TemporaryDirectory() as folder:
        yield from _of_drivers(Path(folder))
    yield from _of_devices()
    yield from _of_exporters()
    with watched_gpus(Auto(), target_at(ServerUrl("http://192.0.2.1:8000"))) as reader:
        yield reader.note


def _of_drivers(folder: Path) -> Iterator[str]:
    """A kernel module is a file, which is there or not."""
    (folder / "version").touch()
    begins = ("LibraryNotFound", "DriverNotLoaded", "LibRmVersionMismatch", "NoPermission")
    for driver, module in (
        *((FakeDriver(begins=getattr(pynvml, f"NVMLError_{name}")), "none") for name in begins),
        (FakeDriver(begins=pynvml.NVMLError_LibraryNotFound), "version"),
        (FakeDriver(), "none"),
    ):
        found = _opened(driver, folder / module)
        assert isinstance(found, Unreachable)
        yield found.note
    lets_go = threading.Event()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "pynvml", FakeDriver(hangs={"nvmlInit": lets_go}).module())
        yield open_here(within_s=0.02).note
    lets_go.set()


def _opened(driver: FakeDriver, kernel_module: Path) -> NvmlGpus | Unreachable:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "pynvml", driver.module())
        return open_driver(kernel_module)


def _of_devices() -> Iterator[str]:
    gpus = (
        FakeGpu("Quux", errors={"nvmlDeviceGetPowerUsage": pynvml.NVMLError_NotSupported}),
        FakeGpu("Quux", "2", errors={"nvmlDeviceGetClockInfo": pynvml.NVMLError_NoPermission}),
        FakeGpu("Quux", "3", errors={"nvmlDeviceGetHandleByIndex": pynvml.NVMLError_NotSupported}),
        FakeGpu("Quux", "4"),
        FakeGpu("Quux", "5"),
    )
    reader = NvmlGpus(FakeDriver(*gpus, lacks=frozenset({"nvmlDeviceGetTotalEnergyConsumption"})).module())
    gpus[3].errors["everything"] = pynvml.NVMLError_GpuIsLost
    gpus[4].errors["nvmlDeviceGetTemperature"] = pynvml.NVMLError_Unknown
    yield from (note.replace("GPU is lost", "Quux").replace("Unknown Error", "Quux") for note in look(reader)[1])


def _of_exporters() -> Iterator[str]:
    yield open_exporter("http://127.0.0.1:port/").note
    lean = {"DCGM_FI_DEV_GPU_UTIL": 1.0}
    many = [Exported(number, f"GPU-{number}", values=lean) for number in range(1025)]
    with exporting(page(*many, Exported(instance="1", profile="1g.10gb", values=BUSY))) as exporter:
        reader = open_exporter(exporter.url)
        exporter.status = 500
        yield from look(reader)[1]
        yield open_exporter(exporter.url).note
        exporter.status, exporter.body = 200, b""
        yield open_exporter(exporter.url).note
        exporter.proceed.clear()
        hanging = open_exporter(exporter.url, within_s=0.02)
        assert isinstance(hanging, NoGpus)
        yield hanging.note
    reader.close()
