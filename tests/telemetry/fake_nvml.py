"""A driver that does what a test says, behind pynvml's own constants, structures and error classes.

Only the functions are ours; those that nobody here asks for are not there at all. What is given back are the structures
of the real library, so that a field it does not have cannot be read.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from types import ModuleType

import pynvml

GIB = 2**30
Error = type[pynvml.NVMLError]


@dataclass(eq=False)
class FakeGpu:
    """One device; `errors` names the functions that raise for it. A place of `instances` that is None is free."""

    name: str | bytes = "NVIDIA H100 80GB HBM3"
    uuid: str | bytes = "GPU-11111111-0000-0000-0000-000000000000"
    utilisation: int = 87
    memory: tuple[int, int, int] = (60 * GIB, 80 * GIB, GIB)  # in use, in all, kept by the driver
    temperature: int = 64
    milliwatts: int = 512_300
    limit_milliwatts: int = 700_000
    sm_mhz: int = 1980
    memory_mhz: int = 2619
    reasons: int = pynvml.nvmlClocksEventReasonNone
    millijoules: int = 123_456_789
    slices: int = 0
    instances: tuple[FakeGpu | None, ...] = ()
    errors: dict[str, Error] = field(default_factory=dict)


MIG_ERRORS: dict[str, Error] = {
    "nvmlDeviceGetUtilizationRates": pynvml.NVMLError_NotSupported,
    "nvmlDeviceGetTemperature": pynvml.NVMLError_InvalidArgument,
    "nvmlDeviceGetPowerUsage": pynvml.NVMLError_NotSupported,
    "nvmlDeviceGetEnforcedPowerLimit": pynvml.NVMLError_NotSupported,
    "nvmlDeviceGetClockInfo": pynvml.NVMLError_NotSupported,
    "nvmlDeviceGetCurrentClocksEventReasons": pynvml.NVMLError_NotSupported,
    "nvmlDeviceGetTotalEnergyConsumption": pynvml.NVMLError_NotSupported,
    "nvmlDeviceGetMigMode": pynvml.NVMLError_InvalidArgument,
}
"""What an instance of a MIG device does not tell."""


class FakeDriver:
    """The functions of the library over some devices. `begins` is what nvmlInit raises; `lacks` are functions that an
    older driver does not have; a function of `hangs` waits until the event is set.
    """

    def __init__(
        self,
        *gpus: FakeGpu,
        begins: Error | None = None,
        lacks: frozenset[str] = frozenset(),
        hangs: dict[str, threading.Event] | None = None,
        version: str | bytes = "570.86.15",
    ) -> None:
        self.gpus, self.begins, self.lacks, self.hangs, self.version = list(gpus), begins, lacks, hangs or {}, version
        self.asked: Counter[str] = Counter()
        self.users = 0

    def module(self) -> ModuleType:
        """The library as it is imported."""
        library = ModuleType("pynvml")
        real = {
            name: value for name, value in vars(pynvml).items() if not (name.startswith("nvml") and callable(value))
        }
        ours = {name: getattr(self, name) for name in dir(type(self)) if name.startswith("nvml")}
        vars(library).update(real | ours)
        return library

    def _ask(self, function: str, gpu: FakeGpu | None = None) -> None:
        self.asked[function] += 1
        if function in self.hangs:
            self.hangs[function].wait(30)
        if function in self.lacks:
            raise pynvml.NVMLError_FunctionNotFound
        if gpu is not None and (error := gpu.errors.get(function) or gpu.errors.get("everything")):
            raise error

    def nvmlInit(self) -> None:
        self._ask("nvmlInit")
        if self.begins is not None:
            raise self.begins
        self.users += 1

    def nvmlShutdown(self) -> None:
        self._ask("nvmlShutdown")
        self.users -= 1

    def nvmlSystemGetDriverVersion(self) -> str | bytes:
        self._ask("nvmlSystemGetDriverVersion")
        return self.version

    def nvmlDeviceGetCount(self) -> int:
        self._ask("nvmlDeviceGetCount")
        return len(self.gpus)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> FakeGpu:
        self._ask("nvmlDeviceGetHandleByIndex", self.gpus[index])
        return self.gpus[index]

    def nvmlDeviceGetName(self, handle: FakeGpu) -> str | bytes:
        self._ask("nvmlDeviceGetName", handle)
        return handle.name

    def nvmlDeviceGetUUID(self, handle: FakeGpu) -> str | bytes:
        self._ask("nvmlDeviceGetUUID", handle)
        return handle.uuid

    def nvmlDeviceGetMemoryInfo(self, handle: FakeGpu, version: int | None = None) -> object:
        used, total, reserved = handle.memory
        if version is None:
            self._ask("nvmlDeviceGetMemoryInfo", handle)
            return pynvml.c_nvmlMemory_t(total, total - used - reserved, used + reserved)
        assert version == pynvml.nvmlMemory_v2
        self._ask("nvmlDeviceGetMemoryInfo_v2", handle)
        return pynvml.c_nvmlMemory_v2_t(version, total, reserved, total - used - reserved, used)

    def nvmlDeviceGetUtilizationRates(self, handle: FakeGpu) -> object:
        self._ask("nvmlDeviceGetUtilizationRates", handle)
        return pynvml.c_nvmlUtilization_t(handle.utilisation, 33)

    def nvmlDeviceGetTemperature(self, handle: FakeGpu, sensor: int) -> int:
        assert sensor == pynvml.NVML_TEMPERATURE_GPU
        self._ask("nvmlDeviceGetTemperature", handle)
        return handle.temperature

    def nvmlDeviceGetTemperatureV(self, handle: FakeGpu, sensor: int, version: int = pynvml.nvmlTemperature_v1) -> int:
        assert sensor == pynvml.NVML_TEMPERATURE_GPU
        self._ask("nvmlDeviceGetTemperatureV", handle)
        return handle.temperature

    def nvmlDeviceGetPowerUsage(self, handle: FakeGpu) -> int:
        self._ask("nvmlDeviceGetPowerUsage", handle)
        return handle.milliwatts

    def nvmlDeviceGetEnforcedPowerLimit(self, handle: FakeGpu) -> int:
        self._ask("nvmlDeviceGetEnforcedPowerLimit", handle)
        return handle.limit_milliwatts

    def nvmlDeviceGetPowerManagementLimit(self, handle: FakeGpu) -> int:
        self._ask("nvmlDeviceGetPowerManagementLimit", handle)
        return handle.limit_milliwatts

    def nvmlDeviceGetClockInfo(self, handle: FakeGpu, type: int) -> int:  # noqa: A002 - its name in the library
        self._ask("nvmlDeviceGetClockInfo", handle)
        return {pynvml.NVML_CLOCK_SM: handle.sm_mhz, pynvml.NVML_CLOCK_MEM: handle.memory_mhz}[type]

    def nvmlDeviceGetCurrentClocksEventReasons(self, handle: FakeGpu) -> int:
        self._ask("nvmlDeviceGetCurrentClocksEventReasons", handle)
        return handle.reasons

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, handle: FakeGpu) -> int:
        self._ask("nvmlDeviceGetCurrentClocksThrottleReasons", handle)
        return handle.reasons

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: FakeGpu) -> int:
        self._ask("nvmlDeviceGetTotalEnergyConsumption", handle)
        return handle.millijoules

    def nvmlDeviceGetMigMode(self, device: FakeGpu) -> list[int]:
        self._ask("nvmlDeviceGetMigMode", device)
        mode = pynvml.NVML_DEVICE_MIG_ENABLE if device.instances else pynvml.NVML_DEVICE_MIG_DISABLE
        return [mode, mode]

    def nvmlDeviceGetMaxMigDeviceCount(self, device: FakeGpu) -> int:
        self._ask("nvmlDeviceGetMaxMigDeviceCount", device)
        return len(device.instances)

    def nvmlDeviceGetMigDeviceHandleByIndex(self, device: FakeGpu, index: int) -> FakeGpu:
        self._ask("nvmlDeviceGetMigDeviceHandleByIndex", device)
        if (found := device.instances[index]) is None:
            raise pynvml.NVMLError_NotFound
        return found

    def nvmlDeviceGetAttributes(self, device: FakeGpu) -> object:
        self._ask("nvmlDeviceGetAttributes", device)
        megabytes = device.memory[1] // 2**20
        return pynvml.c_nvmlDeviceAttributes(14, 1, 0, 0, 0, 0, device.slices, device.slices, megabytes)
