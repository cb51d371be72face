"""The GPUs of other machines, as a DCGM exporter tells of them on its Prometheus page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from time import monotonic, monotonic_ns
from typing import TYPE_CHECKING

from llmload.plain_text import plain
from llmload.samples import Gpu, GpuFigure, GpuNow, Source
from llmload.scenario.secrets import scrub_url
from llmload.telemetry.gpu import Unreachable, now_of
from llmload.telemetry.metrics_text import pattern_of, read_samples
from llmload.telemetry.recorder import Recorder

if TYPE_CHECKING:
    import httpx

_NAME_LIMIT = 80
_PAGE_BYTES = 8 * 2**20
"""A page of a hundred hosts has this much; what is longer is none."""
_OPEN_S, _READ_S = 3.0, 1.0
"""How long a page may take: the first one, and those while something is measured."""
_PLAIN = {"accept-encoding": "identity"}
_MOST_GPUS = 1024
_MIB = 2**20

_BLANKS = frozenset(
    float(blank + why)
    for blank in (0x7FFFFFF0, 2**47, 0x7FFFFFFFFFFFFFF0)  # of 32 and 64 bit integers, and of floating point
    for why in range(4)  # blank, not found, not supported, not permitted
)
"""What DCGM writes where it has no value (dcgm_structs.h)."""


@dataclass(frozen=True, slots=True)
class _Meaning:
    """What a metric of the exporter is called here, how a note calls it, and what one of it is in our unit."""

    figure: GpuFigure
    words: str
    unit: float = 1.0


_METRICS: Mapping[str, _Meaning] = {
    "DCGM_FI_DEV_GPU_UTIL": _Meaning("utilisation", "utilisation", 0.01),
    "DCGM_FI_DEV_FB_USED": _Meaning("memory_bytes", "memory in use", _MIB),
    "DCGM_FI_DEV_GPU_TEMP": _Meaning("temperature_c", "temperature"),
    "DCGM_FI_DEV_POWER_USAGE": _Meaning("power_w", "power"),
    "DCGM_FI_DEV_SM_CLOCK": _Meaning("sm_clock_mhz", "SM clock"),
    "DCGM_FI_DEV_MEM_CLOCK": _Meaning("memory_clock_mhz", "memory clock"),
    "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS": _Meaning("throttle_reasons", "throttle reasons"),
    "DCGM_FI_DEV_CLOCKS_EVENT_REASONS": _Meaning("throttle_reasons", "throttle reasons"),
    "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION": _Meaning("energy_j", "energy", 0.001),
}
_MEMORY = ("DCGM_FI_DEV_FB_USED", "DCGM_FI_DEV_FB_FREE", "DCGM_FI_DEV_FB_RESERVED")
_TOTAL = "DCGM_FI_DEV_FB_TOTAL"
_LIMITS = ("DCGM_FI_DEV_ENFORCED_POWER_LIMIT", "DCGM_FI_DEV_POWER_MGMT_LIMIT")
_WANTED = frozenset((*_METRICS, *_MEMORY, _TOTAL, *_LIMITS))
_LINES = pattern_of(_WANTED)
_OF_THE_CARD: frozenset[GpuFigure] = frozenset(("power_w", "energy_j"))
"""What is told of each MIG instance and is that of the whole card: seven instances would add up to seven cards."""


# -------------------------------------------------------------------- a page


@dataclass(frozen=True, slots=True)
class Told:
    """One GPU or MIG instance on a page, with its figures in our units."""

    gpu: Gpu
    figures: Mapping[GpuFigure, float]


@dataclass(slots=True)
class _Entry:
    """The lines of one GPU: labels of the first, and the value of each metric."""

    labels: Mapping[str, str]
    values: dict[str, float] = field(default_factory=dict)


def read_page(text: str) -> tuple[Told, ...]:
    """Every GPU on a page, by host, index and instance; empty where it is no page of an exporter.

    Lines that are cut off or damaged are left out, each by itself. A card that has MIG instances is told by these.
    """
    entries: dict[tuple[str, str], _Entry] = {}
    for name, labels, value in _samples(text):
        entries.setdefault(_identity(labels), _Entry(labels)).values[name] = value
    divided = {card for card, instance in entries if instance}
    told = (_told(entry) for (card, instance), entry in entries.items() if instance or card not in divided)
    return tuple(sorted(told, key=lambda each: (each.gpu.host, each.gpu.index, each.gpu.key)))


def _samples(text: str) -> Iterator[tuple[str, Mapping[str, str], float]]:
    for name, series in read_samples(text.encode(), _LINES).items():
        for sample in series.values():
            if sample.value >= 0 and sample.value not in _BLANKS:
                yield name, sample.labels, sample.value


def _identity(labels: Mapping[str, str]) -> tuple[str, str]:
    """The card and the MIG instance of it; "" is the whole card. Every line of a GPU has the same."""
    card = _uuid(labels) or f"{labels.get('Hostname', '')}/{labels.get('gpu', '')}"
    return card, labels.get("GPU_I_ID", "")


def _uuid(labels: Mapping[str, str]) -> str:
    return labels.get("UUID") or labels.get("uuid") or ""


def _told(entry: _Entry) -> Told:
    labels, values = entry.labels, entry.values
    card, instance = _identity(labels)
    gpu = labels.get("gpu", "")
    figures = {_METRICS[name].figure: value * _METRICS[name].unit for name, value in values.items() if name in _METRICS}
    if instance:
        figures = {figure: value for figure, value in figures.items() if figure not in _OF_THE_CARD}
    described = Gpu(
        key=plain(f"{card}/{instance}" if instance else card, _NAME_LIMIT),
        index=int(gpu) if gpu.isascii() and gpu.isdecimal() and len(gpu) < 6 else 0,
        name=plain(labels.get("modelName", ""), _NAME_LIMIT) or "unknown GPU",
        uuid=plain(_uuid(labels), _NAME_LIMIT),
        driver=plain(labels.get("DCGM_FI_DRIVER_VERSION", ""), _NAME_LIMIT) or None,
        memory_total_bytes=_memory_total(values),
        power_limit_w=None if instance else next((values[name] for name in _LIMITS if name in values), None),
        mig=(plain(labels.get("GPU_I_PROFILE", ""), _NAME_LIMIT) or "instance") if instance else None,
        host=plain(labels.get("Hostname", ""), _NAME_LIMIT),
    )
    return Told(described, figures)


def _memory_total(values: Mapping[str, float]) -> int | None:
    """What the exporter says, or else what its parts amount to; what the driver keeps is no part of older ones."""
    if _TOTAL in values:
        return int(values[_TOTAL] * _MIB)
    used, free, reserved = (values.get(name) for name in _MEMORY)
    return None if used is None or free is None else int((used + free + (reserved or 0.0)) * _MIB)


# -------------------------------------------------------------------- the exporter


def open_page(url: str) -> DcgmGpus | Unreachable:
    """The GPUs that the page at `url` tells of now, or why there are none."""
    import httpx

    try:
        client = httpx.Client(trust_env=False, timeout=_READ_S, follow_redirects=False)
        page = _fetch(client, url, _OPEN_S)
    except httpx.InvalidURL:
        return Unreachable("the URL of the DCGM exporter is none", "Write it like http://host:9400/metrics")
    name = scrub_url(url)
    if isinstance(page, _Failure):
        client.close()
        remedy = "Start dcgm-exporter there, or correct its URL"
        return Unreachable(f"the DCGM exporter at {name} does not answer ({page.because})", remedy)
    told = read_page(page)
    if not told:
        client.close()
        return Unreachable(f"the page at {name} tells of no GPU", "Name the page of a DCGM exporter")
    return DcgmGpus(lambda: _fetch(client, url, _READ_S), client.close, told, name)


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why a page was not to be had."""

    because: str


def _fetch(client: httpx.Client, url: str, within_s: float) -> str | _Failure:
    """A whole page, of bounded length and within a time that covers all of it. No key of the server's is sent."""
    import httpx

    due_s = monotonic() + within_s
    body = bytearray()
    try:
        with client.stream("GET", url, headers=_PLAIN, timeout=within_s) as response:
            if response.status_code != 200:
                return _Failure(f"status {response.status_code}")
            if response.headers.get("content-encoding", "identity") != "identity":
                return _Failure("a compressed page")  # nobody asked for it, and a little of it may unpack to a lot
            for piece in response.iter_raw():
                body += piece
                if len(body) > _PAGE_BYTES:
                    return _Failure(f"a page of more than {_PAGE_BYTES // _MIB} MiB")
                if monotonic() > due_s:
                    return _Failure(f"a page that took more than {within_s:g} s")
    except (httpx.HTTPError, OSError, RuntimeError, ValueError) as error:  # the latter when it was closed meanwhile
        return _Failure(type(error).__name__)
    return body.decode("utf-8", errors="replace")


class DcgmGpus:
    """Reads the GPUs that an exporter told of when it was opened; what came later is not watched."""

    def __init__(
        self, fetch: Callable[[], str | _Failure], close: Callable[[], None], told: tuple[Told, ...], name: str
    ) -> None:
        self.note = ""
        self._fetch, self._name = fetch, name
        self.close = close
        self._notes = dict.fromkeys(_shortcomings(told, name))
        self._told = {each.gpu.key: each for each in told[:_MOST_GPUS]}
        self.gpus = tuple(each.gpu for each in self._told.values())

    def read(self, recorder: Recorder) -> None:
        """Take one sample of every figure that the page tells now."""
        at_ns = monotonic_ns()
        page = self._fetch()
        told: tuple[Told, ...] = ()
        if isinstance(page, _Failure):
            self._notes[f"the DCGM exporter at {self._name} did not always answer: {page.because}"] = None
        else:
            told = read_page(page)
        now = {each.gpu.key: each for each in told if each.gpu.key in self._told}
        for key, each in now.items():
            for figure, value in each.figures.items():
                recorder.add(Source.GPU, figure, value, at_ns, key)
        self._told = {gpu.key: now.get(gpu.key) or Told(gpu, {}) for gpu in self.gpus}
        for note in tuple(self._notes):
            recorder.note(note)

    def now(self) -> tuple[GpuNow, ...]:
        """What each told last."""
        return tuple(now_of(each.gpu, each.figures) for each in self._told.values())


def _shortcomings(told: tuple[Told, ...], name: str) -> Iterator[str]:
    """What a page leaves out that somebody will look for."""
    if len(told) > _MOST_GPUS:
        yield f"the page at {name} tells of {len(told):,} GPUs, of which the first {_MOST_GPUS:,} are watched"
    figures = {figure for each in told for figure in each.figures}
    missing = dict.fromkeys(each.words for each in _METRICS.values() if each.figure not in figures)
    if missing:
        yield f"the DCGM exporter at {name} does not tell: {', '.join(missing)}"
    if any(each.gpu.mig for each in told):
        yield "power and energy of MIG instances are those of the whole card, and left out"
