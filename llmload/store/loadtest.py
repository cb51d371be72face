"""The result document of llm-loadtest, the earlier tool: from its JSON to facts, or every fault with its path.

Pure. What is not named here is not kept: its `config` may hold an API key. Figures stay as that tool defined them
(docs/migration.md); latencies are milliseconds there too, `_percent` becomes a share 0..1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from math import isfinite

import orjson

from llmload.frameworks.registry import REGISTRY
from llmload.scenario.secrets import scrub_url

TOOL = "llm-loadtest"
MOST_LEVELS = 1_000
UNTOLD = "unknown"
"""In place of a model or an address that the document does not name."""

LONGEST_TEXT = 400  # characters; no model, address or setting needs more

_MOST = 2.0**53  # beyond it numbers of JSON are no longer whole
_LATENCIES = {"ttft": "ttft", "tpot": "tpot", "itl": "itl", "e2e_latency": "e2e"}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a document, at a path such as `results[0].ttft.p95`."""

    path: str
    message: str


@dataclass(frozen=True, slots=True)
class Latency:
    """One latency in milliseconds; not every release told mean, min and max."""

    p50: float
    p95: float
    p99: float
    mean: float | None
    min: float | None
    max: float | None


@dataclass(frozen=True, slots=True)
class Level:
    """One level of concurrency. Shares are 0..1; None = the document does not say."""

    concurrency: int
    total_requests: int
    successful_requests: int
    error_rate: float | None
    goodput: float | None  # of the successful requests, not of all
    satisfied_requests: int | None
    throughput_tokens_per_s: float | None
    request_rate_per_s: float | None
    input_tokens: int | None
    output_tokens: int | None
    duration_s: float | None
    latency: Mapping[str, Latency]  # by our names: ttft, tpot, itl, e2e


@dataclass(frozen=True, slots=True)
class Instant:
    """A time of day, in UTC; `is_zoned` when the document said which zone it meant."""

    at: datetime
    is_zoned: bool


@dataclass(frozen=True, slots=True)
class Loadtest:
    """One run of llm-loadtest. `server_url` has no secrets; `left_out` says what was not taken, and why."""

    model: str
    server_url: str
    framework: str
    settings: Mapping[str, object]
    started: Instant | None
    completed: Instant | None
    levels: tuple[Level, ...]
    left_out: tuple[str, ...]


def read(raw: bytes) -> tuple[Loadtest | None, tuple[Fault, ...]]:
    """The run that a document tells of; None with every fault of it where it cannot be trusted."""
    try:
        value = orjson.loads(raw.removeprefix(b"\xef\xbb\xbf"))  # some editors begin UTF-8 with a mark
    except orjson.JSONDecodeError as error:
        return None, (Fault(f"line {error.lineno}, column {error.colno}", f"not JSON: {error.msg.partition(':')[0]}"),)
    document = _Place("", value, [])
    if not isinstance(value, dict):
        return None, (Fault("document", f"is {_kind(value)}, and not an object"),)
    if str(value.get("apiVersion", "")).startswith("llmload/"):
        return None, (Fault("apiVersion", f"a document of llmload itself, and not a result of {TOOL}"),)
    loadtest = _loadtest(document)
    faults = tuple(document.faults)
    return (None, faults) if faults else (loadtest, ())


@dataclass(frozen=True, slots=True)
class _Place:
    """A value and where it stands; whatever is wrong with it is added to `faults`. null reads as absent."""

    path: str
    value: object
    faults: list[Fault]

    def wrong(self, message: str) -> None:
        self.faults.append(Fault(self.path, message))

    def at(self, name: str) -> _Place:
        path = f"{self.path}.{name}" if self.path else name
        if isinstance(self.value, dict):
            return _Place(path, self.value.get(name), self.faults)
        if self.value is not None:
            self.wrong(f"is {_kind(self.value)}, and not an object")
        return _Place(path, None, self.faults if self.value is None else [])

    def each(self) -> Iterator[_Place]:
        if not isinstance(self.value, list):
            self.wrong("is missing" if self.value is None else f"is {_kind(self.value)}, and not a list")
        elif not 0 < len(self.value) <= MOST_LEVELS:
            self.wrong(f"has {len(self.value):,} members, 1 to {MOST_LEVELS:,} are read")
        else:
            yield from (_Place(f"{self.path}[{n}]", value, self.faults) for n, value in enumerate(self.value))

    def number(self, most: float = _MOST) -> float | None:
        if self.value is None:
            return None
        if isinstance(self.value, bool) or not isinstance(self.value, int | float) or not isfinite(self.value):
            self.wrong(f"is {_kind(self.value)}, and not a number")
        elif not 0 <= self.value <= most:
            self.wrong(f"is {self.value:g}, and not from 0 to {most:g}")
        else:
            return float(self.value)
        return None

    def share(self) -> float | None:
        percent = self.number(100)
        return None if percent is None else percent / 100

    def whole(self) -> int | None:
        number = self.number()
        if number is not None and not number.is_integer():
            self.wrong(f"is {number:g}, and not a whole number")
            return None
        return None if number is None else int(number)

    def text(self) -> str | None:
        if self.value is None:
            return None
        if not isinstance(self.value, str):
            self.wrong(f"is {_kind(self.value)}, and not text")
        elif len(self.value) > LONGEST_TEXT:
            self.wrong(f"has {len(self.value):,} characters, at most {LONGEST_TEXT} are read")
        else:
            return self.value.strip() or None
        return None

    def instant(self) -> Instant | None:
        """ISO 8601, or seconds since 1970."""
        if self.value is None:
            return None
        try:
            found = _instant(self.value)
            if found.at.year < 1970:  # what some languages write for no time at all
                raise ValueError
        except (ValueError, OverflowError, OSError):
            self.wrong("is no time that can be read; write it in ISO 8601")
            return None
        return found

    def needed(self) -> _Place:
        """The same place, and a fault where nothing stands there."""
        if self.value is None:
            self.wrong("is missing")
        return self


def _instant(value: object) -> Instant:
    match value:
        case str(text):
            at = datetime.fromisoformat(text)
            return Instant((at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC), at.tzinfo is not None)
        case int(seconds) | float(seconds) if not isinstance(seconds, bool):
            return Instant(datetime.fromtimestamp(seconds, UTC), is_zoned=True)
        case _:
            raise ValueError


def _kind(value: object) -> str:
    """A value in words that cannot carry anything hostile."""
    match value:
        case dict():
            return "an object"
        case list():
            return "a list"
        case str():
            return "text"
        case None:
            return "null"
        case _:
            return repr(value)


# ---------------------------------------------------------------- the run


def _loadtest(document: _Place) -> Loadtest:
    config = document.at("config")
    left_out: list[str] = []
    framework, settings = _framework(document, config, left_out)
    model, url = _either(document, config, "model"), _either(document, config, "server_url")
    is_streamed = config.at("stream").value is not False
    if not is_streamed:
        left_out.append("TTFT, TPOT and ITL: the answers were not streamed, and E2E stands in their place")
    return Loadtest(
        model=_told(model, left_out),
        server_url=scrub_url(_told(url, left_out)),
        framework=framework,
        settings=settings,
        started=document.at("started_at").instant(),
        completed=document.at("completed_at").instant(),
        levels=_levels(document.at("results"), is_streamed=is_streamed),
        left_out=tuple(left_out),
    )


def _told(place: _Place, left_out: list[str]) -> str:
    text = place.text()
    if text is None:
        left_out.append(f"{place.path.rpartition('.')[2]}: the file does not name it")
    return text or UNTOLD


def _either(document: _Place, config: _Place, name: str) -> _Place:
    """Releases differ in what they tell of the run and what of its config."""
    top = document.at(name)
    return config.at(name) if top.value is None and config.value is not None else top


def _framework(document: _Place, config: _Place, left_out: list[str]) -> tuple[str, dict[str, object]]:
    """As `scenario.v1alpha1` reads the document that asked for the run."""
    vllm, own = _either(document, config, "vllm_config"), _either(document, config, "framework_config")
    written, adapter = (_either(document, config, name).text() for name in ("framework", "adapter"))
    if written is None:
        is_vllm = vllm.value is not None and own.value is None and adapter != "triton"
        written = "vllm" if is_vllm else adapter or "openai"
    used = vllm if own.value is None and written == "vllm" else own
    if vllm.value is not None and used is not vllm:
        left_out.append(
            f"vllm_config: the framework is {written}"
            if own.value is None
            else "vllm_config: framework_config goes first"
        )
    return written, _settings(used, written, left_out)


def _settings(place: _Place, framework: str, left_out: list[str]) -> dict[str, object]:
    """What was written of the settings that the framework has: another name may hold anything, a secret too."""
    if place.value is None:
        return {}
    if not isinstance(place.value, dict):
        place.wrong(f"is {_kind(place.value)}, and not an object")
        return {}
    adapter = REGISTRY.get(framework)
    known = {field.name for field in fields(adapter.settings)} if adapter else set()
    written = {name: value for name, value in place.value.items() if value is not None}
    kept = {name: _setting(place.at(name)) for name in sorted(known & written.keys())}
    if unknown := len(written) - len(kept):
        left_out.append(f"{unknown} {'setting' if unknown == 1 else 'settings'} that {framework} does not have")
    return kept


def _setting(place: _Place) -> object:
    match place.value:
        case bool():
            return place.value
        case int() | float() if isfinite(place.value):
            return place.value
        case _:
            return place.text() or "none"  # as "" meant for quantization, the one text among them


# ---------------------------------------------------------------- its levels


def _levels(results: _Place, *, is_streamed: bool) -> tuple[Level, ...]:
    levels: dict[int, Level] = {}
    for place in results.each():
        level = _level(place, is_streamed=is_streamed)
        if level.concurrency in levels:
            place.at("concurrency").wrong(f"is {level.concurrency} a second time")
        if level.concurrency:
            levels[level.concurrency] = level
    return tuple(levels.values())


def _level(place: _Place, *, is_streamed: bool) -> Level:
    """One of `results`. Where no request succeeded that tool wrote latencies of 0, which nothing had."""
    goodput = place.at("goodput")
    total, ok = (place.at(name).needed().whole() or 0 for name in ("total_requests", "successful_requests"))
    if ok > total:
        place.at("successful_requests").wrong(f"is {ok}, of {total} requests")
    told = {ours: place.at(theirs) for theirs, ours in _LATENCIES.items() if is_streamed or ours == "e2e"}
    latency = {name: found for name, each in told.items() if (found := _latency(each)) is not None and ok}
    error_rate = place.at("error_rate_percent").share()
    return Level(
        concurrency=_concurrency(place.at("concurrency").needed()),
        total_requests=total,
        successful_requests=ok,
        error_rate=(total - ok) / total if error_rate is None and total else error_rate,
        goodput=goodput.at("goodput_percent").share(),
        satisfied_requests=goodput.at("satisfied_requests").whole(),
        throughput_tokens_per_s=place.at("throughput_tokens_per_sec").number(),
        request_rate_per_s=place.at("request_rate_per_sec").number(),
        input_tokens=place.at("total_input_tokens").whole(),
        output_tokens=place.at("total_output_tokens").whole(),
        duration_s=place.at("duration_seconds").number(),
        latency=latency,
    )


def _concurrency(place: _Place) -> int:
    """0 where it is none, and a fault."""
    found = place.whole()
    if found == 0:
        place.wrong("is 0, and not at least 1")
    return found or 0


def _latency(place: _Place) -> Latency | None:
    if place.value is None:
        return None
    p50, p95, p99 = (place.at(name).needed().number() or 0.0 for name in ("p50", "p95", "p99"))
    mean, least, most = (place.at(name).number() for name in ("mean", "min", "max"))
    return Latency(p50, p95, p99, mean, least, most)
