"""The GPUs of this machine through NVML, over a driver that does what the test says."""

from __future__ import annotations

import inspect
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pynvml
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.samples import Gpu
from llmload.telemetry.gpu import GpuReader, NoGpus, Unreachable, machine_facts, open_here
from llmload.telemetry.nvml import NvmlGpus, open_driver
from tests.telemetry.fake_nvml import GIB, MIG_ERRORS, Error, FakeDriver, FakeGpu
from tests.telemetry.gpu_reading import FIGURES, check_contract, look

Install = Callable[[FakeDriver], FakeDriver]
SECOND = "GPU-22222222-0000-0000-0000-000000000000"


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a driver in the place of the real one."""

    def installed(driver: FakeDriver) -> FakeDriver:
        monkeypatch.setitem(sys.modules, "pynvml", driver.module())
        return driver

    return installed


def opened(driver: FakeDriver) -> NvmlGpus:
    """A reader on the driver, begun as `open_driver` does."""
    driver.nvmlInit()
    return NvmlGpus(driver.module())


# ---------------------------------------------------------------- the fake


def test_the_functions_of_the_fake_take_what_those_of_the_library_take() -> None:
    names = [name for name in dir(FakeDriver) if name.startswith("nvml")]
    ours = {name: list(inspect.signature(getattr(FakeDriver(), name)).parameters) for name in names}
    assert ours == {name: list(inspect.signature(getattr(pynvml, name)).parameters) for name in names}


# ---------------------------------------------------------------- figures


def test_everything_that_a_gpu_tells_is_told_in_our_units() -> None:
    gpu = FakeGpu(reasons=pynvml.nvmlClocksEventReasonSwPowerCap)
    reader = opened(FakeDriver(gpu))
    told, notes = look(reader)
    assert notes == ()
    assert {name: value for (_, name), value in told.items()} == {
        "utilisation": 0.87,
        "memory_bytes": 60 * GIB,
        "temperature_c": 64,
        "power_w": 512.3,
        "sm_clock_mhz": 1980,
        "memory_clock_mhz": 2619,
        "throttle_reasons": 4,
        "energy_j": 123_456.789,
    }
    assert {device for device, _ in told} == {str(gpu.uuid)}
    assert reader.gpus == (Gpu(str(gpu.uuid), 0, str(gpu.name), str(gpu.uuid), "570.86.15", 80 * GIB, 700.0),)


def test_a_reader_keeps_to_the_contract_of_readers() -> None:
    check_contract(opened(FakeDriver(FakeGpu(), FakeGpu(uuid=SECOND, utilisation=0))))


def test_a_display_gets_what_each_gpu_told_last() -> None:
    gpu = FakeGpu()
    reader = opened(FakeDriver(gpu))
    assert [now.utilisation for now in reader.now()] == [None]
    look(reader)
    gpu.utilisation = 12
    assert [now.utilisation for now in reader.now()] == [0.87]
    look(reader)
    assert [(now.utilisation, now.memory_bytes, now.power_w) for now in reader.now()] == [(0.12, 60 * GIB, 512.3)]


def test_names_come_as_bytes_from_older_libraries() -> None:
    reader = opened(FakeDriver(FakeGpu(name=b"Tesla T4", uuid=b"GPU-1"), version=b"418.40"))
    assert reader.gpus[0].name == "Tesla T4"
    assert reader.gpus[0].key == "GPU-1"
    assert reader.gpus[0].driver == "418.40"


def test_a_name_cannot_move_the_cursor() -> None:
    (gpu,) = opened(FakeDriver(FakeGpu(name="\x1b[2J\x1b]0;owned\x07H100\nH200", uuid=b"\xff\xfe-1"))).gpus
    assert gpu.name == "H100 H200"
    assert gpu.uuid == "\ufffd\ufffd-1"


# ---------------------------------------------------------------- what is not told


def test_an_older_driver_is_asked_in_its_own_words() -> None:
    lacks = frozenset(
        {"nvmlDeviceGetMemoryInfo_v2", "nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetEnforcedPowerLimit"}
    )
    reader = opened(FakeDriver(FakeGpu(reasons=8), lacks=lacks | {"nvmlDeviceGetMigMode"}))
    told, notes = look(reader)
    values = {name: value for (_, name), value in told.items()}
    assert notes == ()
    assert values["throttle_reasons"] == 8
    assert values["memory_bytes"] == 61 * GIB  # what the driver keeps cannot be told apart
    assert reader.gpus[0].power_limit_w == 700.0


def test_a_later_driver_without_what_is_deprecated_today_is_asked_in_its_words() -> None:
    told, notes = look(opened(FakeDriver(FakeGpu(), lacks=frozenset({"nvmlDeviceGetTemperature"}))))
    assert notes == ()
    assert {value for (_, name), value in told.items() if name == "temperature_c"} == {64}


def test_what_a_gpu_does_not_have_is_told_once_and_not_asked_again() -> None:
    errors = {
        "nvmlDeviceGetPowerUsage": pynvml.NVMLError_NotSupported,
        "nvmlDeviceGetTotalEnergyConsumption": pynvml.NVMLError_NotSupported,
        "nvmlDeviceGetClockInfo": pynvml.NVMLError_NoPermission,
    }
    driver = FakeDriver(
        FakeGpu(name="NVIDIA T400", errors=errors), FakeGpu(name="NVIDIA T400", uuid="2", errors=errors)
    )
    reader = opened(driver)
    first, notes = look(reader)
    again, same = look(reader)
    assert (
        notes
        == same
        == (
            "NVIDIA's driver does not tell of NVIDIA T400: power, energy (not supported)",
            "NVIDIA's driver does not tell of NVIDIA T400: SM clock, memory clock (not permitted)",
        )
    )
    assert first.keys() == again.keys()
    assert {name for _, name in first} == {"utilisation", "memory_bytes", "temperature_c", "throttle_reasons"}
    assert driver.asked["nvmlDeviceGetPowerUsage"] == 2  # once of each


def test_a_gpu_that_tells_nothing_is_there_and_tells_nothing() -> None:
    driver = FakeDriver(FakeGpu())
    reader = opened(driver)
    driver.gpus[0].errors["everything"] = pynvml.NVMLError_NotSupported
    told, notes = look(reader)
    assert told == {}
    assert len(notes) == 1
    assert reader.now()[0].memory_bytes is None
    assert reader.now()[0].name == "NVIDIA H100 80GB HBM3"


def test_a_figure_that_fails_at_times_is_missing_at_those_times() -> None:
    gpu = FakeGpu()
    reader = opened(FakeDriver(gpu))
    gpu.errors["nvmlDeviceGetPowerUsage"] = pynvml.NVMLError_Unknown
    during, notes = look(reader)
    gpu.errors.clear()
    after, _ = look(reader)
    assert (gpu.uuid, "power_w") not in during
    assert after[str(gpu.uuid), "power_w"] == 512.3
    assert notes == ("NVIDIA's driver did not always tell the power of GPU 0 (NVIDIA H100 80GB HBM3): Unknown Error",)


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(pynvml.NVMLError_GpuIsLost, id="fallen off the bus"),
        pytest.param(pynvml.NVMLError_ResetRequired, id="wants a reset"),
        pytest.param(pynvml.NVMLError_DriverNotLoaded, id="driver unloaded"),
        pytest.param(pynvml.NVMLError_Uninitialized, id="library shut down by somebody"),
    ],
)
def test_a_gpu_that_is_lost_during_a_run_ends_its_own_figures_only(error: type[pynvml.NVMLError]) -> None:
    gone, other = FakeGpu(), FakeGpu(uuid=SECOND)
    driver = FakeDriver(gone, other)
    reader = opened(driver)
    look(reader)
    gone.errors["everything"] = error
    told, notes = look(reader)
    asked = driver.asked.total()
    look(reader)
    assert {device for device, _ in told} == {SECOND}
    assert len(notes) == 1
    assert notes[0].startswith("NVIDIA's driver lost GPU 0 (NVIDIA H100 80GB HBM3) during the run: ")
    assert driver.asked.total() - asked == len(FIGURES)  # nothing of the lost one
    assert [now.utilisation for now in reader.now()] == [None, 0.87]


def test_one_device_that_cannot_be_opened_does_not_hide_the_others(install: Install) -> None:
    lost = FakeGpu(errors={"nvmlDeviceGetHandleByIndex": pynvml.NVMLError_GpuIsLost})
    install(FakeDriver(lost, FakeGpu(uuid=SECOND)))
    reader = open_driver()
    assert isinstance(reader, NvmlGpus)
    assert [gpu.index for gpu in reader.gpus] == [1]
    assert look(reader)[1] == ("NVIDIA's driver does not tell of GPU 0: GPU is lost",)


def test_a_library_without_a_function_is_one_whose_driver_does_not_have_it() -> None:
    library = FakeDriver(FakeGpu()).module()
    del library.nvmlDeviceGetTotalEnergyConsumption  # pynvml of another age
    del library.nvmlDeviceGetCurrentClocksEventReasons
    told, notes = look(NvmlGpus(library))
    assert {name for _, name in told} == {*FIGURES} - {"energy_j"}
    assert notes == ("NVIDIA's driver does not tell of NVIDIA H100 80GB HBM3: energy (not known to this driver)",)


def test_a_name_that_the_library_cannot_read_is_no_name() -> None:
    class Broken(FakeDriver):
        def nvmlDeviceGetName(self, handle: FakeGpu) -> str:
            return b"\xff\xfe".decode()

    (gpu,) = opened(Broken(FakeGpu())).gpus
    assert gpu.name == "unknown GPU"


ERRORS = sorted(pynvml.NVMLError._valClassMapping.values(), key=str)
ASKED = sorted(name for name in dir(FakeDriver) if name.startswith("nvmlDevice") and name != "nvmlDeviceGetCount")


@given(before=st.dictionaries(st.sampled_from(ASKED), st.sampled_from(ERRORS)), after=st.sampled_from(ERRORS))
def test_whatever_a_driver_answers_is_a_figure_or_a_note(before: dict[str, Error], after: Error) -> None:
    gpu, sound = FakeGpu(errors=before), FakeGpu(uuid=SECOND)
    reader = opened(FakeDriver(gpu, sound))
    told, notes = look(reader)
    assert bool(notes) or {figure for device, figure in told if device != SECOND} == set(FIGURES)
    assert {figure for device, figure in told if device == SECOND} == set(FIGURES)
    gpu.errors["everything"] = after
    assert {device for device, _ in look(reader)[0]} <= {SECOND, *(each.key for each in reader.gpus)}
    assert len(reader.now()) == len(reader.gpus)


# ---------------------------------------------------------------- MIG


def _divided() -> FakeGpu:
    name = "NVIDIA A100-SXM4-40GB"
    small = FakeGpu(f"{name} MIG 1g.5gb", "MIG-1", memory=(GIB, 5 * GIB, 0), errors=MIG_ERRORS)
    unnamed = FakeGpu(name, "MIG-2", memory=(2 * GIB, 20 * GIB, 0), slices=3, errors=MIG_ERRORS)
    return FakeGpu(name, "GPU-A100", instances=(small, None, unnamed))


def test_a_divided_gpu_is_told_by_its_instances() -> None:
    reader = opened(FakeDriver(_divided(), FakeGpu()))
    told, notes = look(reader)
    assert [(gpu.key, gpu.index, gpu.name, gpu.mig, gpu.memory_total_bytes) for gpu in reader.gpus[:2]] == [
        ("MIG-1", 0, "NVIDIA A100-SXM4-40GB", "1g.5gb", 5 * GIB),
        ("MIG-2", 0, "NVIDIA A100-SXM4-40GB", "3g.20gb", 20 * GIB),
    ]
    assert {key: value for key, value in told.items() if key[0].startswith("MIG")} == {
        ("MIG-1", "memory_bytes"): GIB,
        ("MIG-2", "memory_bytes"): 2 * GIB,
    }
    absent = (
        "power limit, utilisation, temperature, power, SM clock, memory clock, throttle reasons, energy (not supported)"
    )
    assert f"NVIDIA's driver does not tell of NVIDIA A100-SXM4-40GB MIG 1g.5gb: {absent}" in notes


def test_a_divided_gpu_without_instances_is_told_as_a_whole() -> None:
    gpu = FakeGpu(instances=(None, None))
    reader = opened(FakeDriver(gpu))
    assert [(each.key, each.mig) for each in reader.gpus] == [(gpu.uuid, None)]


# ---------------------------------------------------------------- what machine this is


@pytest.mark.parametrize(
    ("gpus", "facts"),
    [
        pytest.param(
            [FakeGpu(), FakeGpu(uuid=SECOND)],
            {"gpu": "NVIDIA H100 80GB HBM3", "gpu_count": "2", "driver": "570.86.15"},
            id="two of a kind",
        ),
        pytest.param(
            [FakeGpu(), FakeGpu("NVIDIA T400", SECOND)],
            {"gpu": "NVIDIA H100 80GB HBM3 + NVIDIA T400", "gpu_count": "2", "driver": "570.86.15"},
            id="two kinds",
        ),
        pytest.param(
            [_divided()],
            {
                "gpu": "NVIDIA A100-SXM4-40GB MIG 1g.5gb + NVIDIA A100-SXM4-40GB MIG 3g.20gb",
                "gpu_count": "2",
                "driver": "570.86.15",
            },
            id="slices are another kind than the whole",
        ),
    ],
)
def test_the_fingerprint_names_the_kinds_the_number_and_the_driver(gpus: list[FakeGpu], facts: dict[str, str]) -> None:
    assert machine_facts(opened(FakeDriver(*gpus))) == facts


def test_no_gpu_is_no_fact() -> None:
    assert machine_facts(NoGpus()) == {}


# ---------------------------------------------------------------- opening and letting go


@pytest.mark.parametrize(
    ("begins", "because", "is_ordinary"),
    [
        (pynvml.NVMLError_LibraryNotFound, "there is no NVIDIA driver on this machine", True),
        (pynvml.NVMLError_DriverNotLoaded, "NVIDIA's driver is installed and not loaded", False),
        (pynvml.NVMLError_LibRmVersionMismatch, "NVIDIA's driver was updated while its former version runs", False),
        (pynvml.NVMLError_NoPermission, "NVIDIA's driver says: not permitted", False),
        (pynvml.NVMLError_Unknown, "NVIDIA's driver says: Unknown Error", False),
    ],
)
def test_a_driver_that_does_not_begin_is_an_answer(
    install: Install, tmp_path: Path, begins: type[pynvml.NVMLError], because: str, is_ordinary: bool
) -> None:
    install(FakeDriver(begins=begins))
    found = open_driver(tmp_path / "version")
    assert isinstance(found, Unreachable)
    assert (found.because, found.is_ordinary) == (because, is_ordinary)
    assert found.remedy


def test_a_driver_outside_of_the_container_is_no_ordinary_absence(install: Install, tmp_path: Path) -> None:
    (tmp_path / "version").write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.86.15\n")
    install(FakeDriver(begins=pynvml.NVMLError_LibraryNotFound))
    found = open_driver(tmp_path / "version")
    assert isinstance(found, Unreachable)
    assert not found.is_ordinary
    assert "`--gpus all`" in found.note


def test_a_driver_without_gpus_is_let_go_at_once(install: Install) -> None:
    driver = install(FakeDriver())
    found = open_driver()
    assert isinstance(found, Unreachable)
    assert found.is_ordinary
    assert driver.users == 0


def test_who_opens_a_driver_twice_lets_go_of_it_twice(install: Install) -> None:
    driver = install(FakeDriver(FakeGpu()))
    one, other = open_here(), open_here()
    assert driver.users == 2
    one.close()
    assert look(other)[0]
    other.close()
    assert driver.users == 0


def test_a_driver_that_hangs_is_left_behind(install: Install) -> None:
    lets_go = threading.Event()
    driver = install(FakeDriver(FakeGpu(), hangs={"nvmlInit": lets_go}))
    reader: GpuReader = open_here(within_s=0.1)
    assert reader.gpus == ()
    assert reader.note.startswith("no GPU is watched: NVIDIA's driver did not answer within 0.1 s")
    lets_go.set()
    assert driver.asked["nvmlInit"] == 1


def test_a_driver_that_hangs_at_the_end_is_left_behind(install: Install) -> None:
    lets_go = threading.Event()
    driver = install(FakeDriver(FakeGpu(), hangs={"nvmlShutdown": lets_go}))
    reader = open_here()
    reader.close()
    assert driver.users == 1
    lets_go.set()
