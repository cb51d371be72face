"""The GPUs of this machine, as NVIDIA's driver tells of them through NVML."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic_ns
from types import ModuleType

from llmload.plain_text import plain
from llmload.samples import Gpu, GpuFigure, GpuNow, Source
from llmload.telemetry.gpu import Unreachable, now_of
from llmload.telemetry.recorder import Recorder

KERNEL_MODULE = Path("/proc/driver/nvidia/version")
"""What a loaded driver shows of itself, in containers that may not use it, too."""

_NAME_LIMIT = 80
_LEAVE_S = 1.0
"""What letting go of a driver may take that hangs."""
_PROFILE = re.compile(r"\bMIG (\S+)")

_Handle = object
"""A device, as the library hands it out."""


@dataclass(frozen=True, slots=True)
class _Question:
    """One figure: what it is called in a note, and how the library is asked for it."""

    figure: GpuFigure
    words: str
    ask: Callable[[ModuleType, _Handle], float]


# -------------------------------------------------------------------- what drivers of different age call the same thing


def _memory(nvml: ModuleType, gpu: _Handle) -> tuple[int, int]:
    """Bytes in use and in all. The second version does not count what the driver keeps for itself as in use."""
    try:
        memory = nvml.nvmlDeviceGetMemoryInfo(gpu, nvml.nvmlMemory_v2)
    except (
        AttributeError,
        nvml.NVMLError_FunctionNotFound,
        nvml.NVMLError_NotSupported,
        nvml.NVMLError_InvalidArgument,
    ):
        memory = nvml.nvmlDeviceGetMemoryInfo(gpu)
    return memory.used, memory.total


def _temperature(nvml: ModuleType, gpu: _Handle) -> int:
    try:
        return int(nvml.nvmlDeviceGetTemperature(gpu, nvml.NVML_TEMPERATURE_GPU))
    except (AttributeError, nvml.NVMLError_FunctionNotFound):  # to go with CUDA 14
        return int(nvml.nvmlDeviceGetTemperatureV(gpu, nvml.NVML_TEMPERATURE_GPU))


def _throttle_reasons(nvml: ModuleType, gpu: _Handle) -> int:
    try:
        return int(nvml.nvmlDeviceGetCurrentClocksEventReasons(gpu))
    except (AttributeError, nvml.NVMLError_FunctionNotFound):
        return int(nvml.nvmlDeviceGetCurrentClocksThrottleReasons(gpu))


def _power_limit(nvml: ModuleType, gpu: _Handle) -> float:
    """Watts that the driver enforces, which may be less than what was set."""
    try:
        return float(nvml.nvmlDeviceGetEnforcedPowerLimit(gpu) / 1000)
    except (AttributeError, nvml.NVMLError_FunctionNotFound):
        return float(nvml.nvmlDeviceGetPowerManagementLimit(gpu) / 1000)


_QUESTIONS = (
    _Question("utilisation", "utilisation", lambda nvml, gpu: nvml.nvmlDeviceGetUtilizationRates(gpu).gpu / 100),
    _Question("memory_bytes", "memory in use", lambda nvml, gpu: _memory(nvml, gpu)[0]),
    _Question("temperature_c", "temperature", _temperature),
    _Question("power_w", "power", lambda nvml, gpu: nvml.nvmlDeviceGetPowerUsage(gpu) / 1000),
    _Question("sm_clock_mhz", "SM clock", lambda nvml, gpu: nvml.nvmlDeviceGetClockInfo(gpu, nvml.NVML_CLOCK_SM)),
    _Question(
        "memory_clock_mhz", "memory clock", lambda nvml, gpu: nvml.nvmlDeviceGetClockInfo(gpu, nvml.NVML_CLOCK_MEM)
    ),
    _Question("throttle_reasons", "throttle reasons", _throttle_reasons),
    _Question("energy_j", "energy", lambda nvml, gpu: nvml.nvmlDeviceGetTotalEnergyConsumption(gpu) / 1000),
)


# -------------------------------------------------------------------- the driver and its devices


@dataclass(slots=True)
class _Device:
    """One GPU or MIG instance, and what is still asked of it."""

    handle: _Handle
    gpu: Gpu
    questions: tuple[_Question, ...] = _QUESTIONS
    told: dict[GpuFigure, float] = field(default_factory=dict)
    absent: dict[str, list[str]] = field(default_factory=dict)  # words for what it will never tell, by the reason


def open_driver(kernel_module: Path = KERNEL_MODULE) -> NvmlGpus | Unreachable:
    """The GPUs of this machine, or why there are none. May hang where the driver does."""
    try:
        import pynvml
    except ImportError:
        return Unreachable("nvidia-ml-py is not installed", "Install llmload with all that it depends on")
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        return _why_not(pynvml, error, kernel_module)
    reader = NvmlGpus(pynvml)
    if reader.gpus:
        return reader
    reader.close()
    if reader.notes:
        return Unreachable("; ".join(reader.notes), "See what nvidia-smi says")
    return Unreachable("NVIDIA's driver sees no GPU", "Name a DCGM exporter, if the server is elsewhere", True)


def _why_not(nvml: ModuleType, error: Exception, kernel_module: Path) -> Unreachable:
    """What a driver that does not begin says about the machine."""
    if isinstance(error, nvml.NVMLError_LibraryNotFound):
        if kernel_module.exists():
            because = "NVIDIA's driver is loaded, but its library libnvidia-ml.so.1 is not visible here"
            return Unreachable(because, "In a container, start it with `--gpus all`")
        remedy = "Name a DCGM exporter, if the server is elsewhere"
        return Unreachable("there is no NVIDIA driver on this machine", remedy, is_ordinary=True)
    if isinstance(error, nvml.NVMLError_LibRmVersionMismatch):
        return Unreachable("NVIDIA's driver was updated while its former version runs", "Restart the machine")
    if isinstance(error, nvml.NVMLError_DriverNotLoaded):
        return Unreachable("NVIDIA's driver is installed and not loaded", "See what nvidia-smi says")
    return Unreachable(f"NVIDIA's driver says: {_words(nvml, error)}", "See what nvidia-smi says")


class NvmlGpus:
    """Reads every GPU of this machine; a device in MIG mode is told by its instances.

    What a device does not have is asked for once, and a note says so. After `nvmlInit`, which `close` takes back.
    """

    def __init__(self, library: ModuleType) -> None:
        self._nvml = library
        self._errors = (library.NVMLError, AttributeError, ValueError)  # no such function here; a name of broken bytes
        self.note = ""
        self.notes: dict[str, None] = {}  # in the order in which they were found
        self._devices = list(self._found())
        self.gpus = tuple(device.gpu for device in self._devices)

    def read(self, recorder: Recorder) -> None:
        """Take one sample of every figure of every GPU that is still there."""
        for device in self._devices:
            at_ns = monotonic_ns()
            device.told = self._asked(device)
            for figure, value in device.told.items():
                recorder.add(Source.GPU, figure, value, at_ns, device.gpu.key)
        for note in tuple(self.notes):
            recorder.note(note)

    def now(self) -> tuple[GpuNow, ...]:
        """What each told last."""
        return tuple(now_of(device.gpu, device.told) for device in self._devices)

    def close(self) -> None:
        """Let go of the driver, whose count of users goes down by one; a driver that hangs is left behind."""
        thread = threading.Thread(target=self._shut_down, name="gpu-closing", daemon=True)
        thread.start()
        thread.join(_LEAVE_S)

    def _shut_down(self) -> None:
        with suppress(*self._errors):  # it is gone already
            self._nvml.nvmlShutdown()

    # ---------------------------------------------------------------- figures

    def _asked(self, device: _Device) -> dict[GpuFigure, float]:
        """What one device tells now. What it will never tell is not asked again; of a lost GPU nothing is."""
        told: dict[GpuFigure, float] = {}
        for question in device.questions:
            try:
                told[question.figure] = float(question.ask(self._nvml, device.handle))
            except self._errors as error:
                why = _words(self._nvml, error)
                if self._is_lost(error):
                    device.questions = ()
                    self._note(f"NVIDIA's driver lost {_label(device.gpu)} during the run: {why}")
                    return {}
                if self._is_for_good(error):
                    device.questions = tuple(each for each in device.questions if each is not question)
                    device.absent.setdefault(why, []).append(question.words)
                else:
                    self._note(
                        f"NVIDIA's driver did not always tell the {question.words} of {_label(device.gpu)}: {why}"
                    )
        for why, words in device.absent.items():
            self._note(f"NVIDIA's driver does not tell of {_kind(device.gpu)}: {', '.join(words)} ({why})")
        return told

    def _note(self, text: str) -> None:
        self.notes[text] = None

    def _is_lost(self, error: Exception) -> bool:
        nvml = self._nvml
        lost = (nvml.NVMLError_GpuIsLost, nvml.NVMLError_ResetRequired, nvml.NVMLError_Uninitialized)
        return isinstance(error, (*lost, nvml.NVMLError_DriverNotLoaded))

    def _is_for_good(self, error: Exception) -> bool:
        nvml = self._nvml
        never = (nvml.NVMLError_NotSupported, nvml.NVMLError_FunctionNotFound, nvml.NVMLError_NoPermission)
        return isinstance(error, (*never, nvml.NVMLError_InvalidArgument, AttributeError))

    # ---------------------------------------------------------------- devices

    def _found(self) -> Iterator[_Device]:
        nvml = self._nvml
        driver = self._text("nvmlSystemGetDriverVersion") or None
        try:
            count = nvml.nvmlDeviceGetCount()
        except self._errors as error:
            self._note(f"NVIDIA's driver says: {_words(nvml, error)}")
            return
        for index in range(count):
            try:
                handle = nvml.nvmlDeviceGetHandleByIndex(index)
            except self._errors as error:
                self._note(f"NVIDIA's driver does not tell of GPU {index}: {_words(nvml, error)}")
                continue
            name = self._text("nvmlDeviceGetName", handle) or "unknown GPU"
            instances = list(self._instances(handle))
            for instance in instances:
                yield self._device(instance, index, name, driver, self._profile(instance))
            if not instances:
                yield self._device(handle, index, name, driver, None)

    def _device(self, handle: _Handle, index: int, name: str, driver: str | None, mig: str | None) -> _Device:
        uuid = self._text("nvmlDeviceGetUUID", handle)
        total: int | None = None
        limit: float | None = None
        absent: dict[str, list[str]] = {}
        with suppress(*self._errors):  # memory in use is missing then, too, and that is told
            total = _memory(self._nvml, handle)[1]
        try:
            limit = _power_limit(self._nvml, handle)
        except self._errors as error:
            absent[_words(self._nvml, error)] = ["power limit"]
        gpu = Gpu(uuid or f"gpu-{index}", index, name, uuid, driver, total, limit, mig)
        return _Device(handle, gpu, absent=absent)

    def _instances(self, handle: _Handle) -> Iterator[_Handle]:
        """The MIG instances of a device in that mode; of an older driver or device there are none."""
        nvml = self._nvml
        try:
            current, _ = nvml.nvmlDeviceGetMigMode(handle)
            places = nvml.nvmlDeviceGetMaxMigDeviceCount(handle) if current == nvml.NVML_DEVICE_MIG_ENABLE else 0
        except self._errors:
            return
        for place in range(places):
            try:
                yield nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, place)
            except self._errors:
                continue  # nobody made an instance at this place

    def _profile(self, instance: _Handle) -> str:
        """Like 1g.10gb: the end of its name, or what its attributes amount to."""
        if found := _PROFILE.search(self._text("nvmlDeviceGetName", instance)):
            return found[1]
        try:
            attributes = self._nvml.nvmlDeviceGetAttributes(instance)
        except self._errors:
            return "instance"
        return f"{attributes.gpuInstanceSliceCount}g.{round(attributes.memorySizeMB / 1024)}gb"

    def _text(self, function: str, *arguments: _Handle) -> str:
        """What the library says in words, which are str or bytes by its version; "" where it says nothing."""
        try:
            told = getattr(self._nvml, function)(*arguments)
        except self._errors:
            return ""
        return plain(told.decode(errors="replace") if isinstance(told, bytes) else str(told), _NAME_LIMIT)


def _kind(gpu: Gpu) -> str:
    return gpu.name if gpu.mig is None else f"{gpu.name} MIG {gpu.mig}"


def _label(gpu: Gpu) -> str:
    return f"GPU {gpu.index} ({_kind(gpu)})"


def _words(nvml: ModuleType, error: Exception) -> str:
    """Why something is not told."""
    match error:
        case nvml.NVMLError_NotSupported() | nvml.NVMLError_InvalidArgument():  # the latter of MIG instances
            return "not supported"
        case nvml.NVMLError_NoPermission():
            return "not permitted"
        case nvml.NVMLError_FunctionNotFound() | AttributeError():
            return "not known to this driver"
        case _:
            return plain(str(error), _NAME_LIMIT)
