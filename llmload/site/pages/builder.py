"""The scenario builder: a form that writes YAML in the browser and sends nothing; without scripts, YAML to copy."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache

import yaml
from markupsafe import escape
from pydantic import JsonValue

from llmload.promises import LATENCIES, RATES, SHARES, STATS, Bound, Gate
from llmload.scenario.gates import AXES, falls_when_worse, parse_gate
from llmload.scenario.starters import starter
from llmload.site import rendering
from llmload.site.asking import Answer, Asked
from llmload.site.scenario_form import LABELS, Field, fields, framework_names, settings
from llmload.store.database import Store
from llmload.units import format_number, format_share, parse_duration

TITLES: Mapping[str, str] = {
    "vllm": "vLLM",
    "sglang": "SGLang",
    "ollama": "Ollama",
    "triton": "Triton",
    "lmdeploy": "LMDeploy",
    "openai": "OpenAI-compatible",
}
"""How frameworks write themselves, in the order in which they are offered; plug-ins follow by their names."""

_SAID = (
    *("required", "whole", "number", "minimum", "maximum", "above", "below", "longest", "like", "pattern"),
    *("name", "variable", "one_line", "starts_http", "no_v1", "no_password", "no_blank", "no_host", "positive"),
    *("too_few", "too_many", "twice", "backwards", "label_name", "label_twice", "duration_longer", "too_small_sample"),
    *("too_slow", "gate_twice", "no_step", "not_streamed", "one_token", "all_worse", "counts_tokens"),
    *("counts_requests", "copied", "not_copied", "saved", "look", "faults", "open", "gate_added", "gate_removed"),
    *("label_added", "label_removed", "price_added", "price_removed", "panel", "restarted"),
    *("price_name", "price_twice", "closed_loop", "slo_without_tokens", "whole_replicas"),
)
"""What the script says, by name; placeholders in braces are filled in by it."""

_ROUNDED = 2**53
_SETTINGS = (
    *("api", "tensor_parallel_size", "pipeline_parallel_size", "gpu_memory_utilization", "max_num_seqs"),
    *("max_model_len", "quantization", "enable_prefix_caching", "chunked_prefill", "mem_fraction_static"),
    *("context_length", "num_gpu", "backend", "instance_count", "cache_max_entry_count", "session_len"),
)
"""Settings of frameworks that have a label; those of plug-ins go by their names."""

_COMMENTED: Mapping[str, str] = {
    "metadata.name": "name",
    "spec.target.url": "url",
    "spec.target.framework_config": "settings",
    "spec.target.api_key": "api_key",
    "spec.load.concurrency": "concurrency",
    "spec.load.rate": "rate",
    "spec.slo": "slo",
    "spec.gates": "gates",
    "spec.recommend": "recommend",
}
"""Where the YAML has a comment, and which."""


def page(asked: Asked, _store: Store) -> Answer:
    """For people."""
    texts = asked.texts
    told = {
        "fields": fields(),
        "labels": LABELS,
        "frameworks": {name: settings(name) for name in _frameworks()},
        "titles": _frameworks(),
        "starters": {name: escape(starter(name)) for name in _frameworks()},  # escaped here: indents are to stay
        "gates": _gate_words(),
        "subjects": [(name, name) for name in (*SHARES, *RATES, *LATENCIES)],
        "stats": [(name, name) for name in STATS],
        "form": rendering.in_script(json.dumps(_for_script(asked), ensure_ascii=False, sort_keys=True)),
        "hint": lambda word: texts.entries.get(f"site.builder.hint.{word}", ""),
        "setting": lambda name: texts[f"site.builder.setting.{name}"] if name in _SETTINGS else name,
    }
    return rendering.render("builder.html.j2", told, asked)


def document(_asked: Asked, _store: Store) -> Answer:
    """For programs: the rules and defaults of every field, and what each framework begins with."""
    return rendering.document(_form())


def _for_script(asked: Asked) -> dict[str, JsonValue]:
    says: dict[str, JsonValue] = {name: asked.texts[f"site.builder.say.{name}"] for name in _SAID}
    comments: dict[str, JsonValue] = {
        path: asked.texts[f"site.builder.comment.{name}"] for path, name in _COMMENTED.items()
    }
    return {**_exact(_form()), "says": says, "comments": comments}


def _exact(rules: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Whole numbers that JavaScript would round, as text."""
    return {name: _exact_value(each) for name, each in rules.items()}


def _exact_value(value: JsonValue) -> JsonValue:
    match value:
        case dict():
            return _exact(value)
        case int() if value >= _ROUNDED:
            return str(value)
        case _:
            return value


@cache
def _form() -> dict[str, JsonValue]:
    names: list[JsonValue] = list(_frameworks())
    return {
        "fields": {path: _told(field) for path, field in fields().items()},
        "settings": {name: {each.path: _told(each) for each in settings(name)} for name in _frameworks()},
        "starters": {name: _beginning(name) for name in _frameworks()},
        "frameworks": names,
        "gates": _gate_words(),
    }


def _frameworks() -> dict[str, str]:
    """Names and titles."""
    names = framework_names()
    known = {name: title for name, title in TITLES.items() if name in names}
    return known | {name: name for name in names if name not in known}


def _told(field: Field) -> dict[str, JsonValue]:
    return {
        "kind": field.kind,
        "rule": dict(field.rule),
        "default": field.default,
        "description": field.about,
        "required": field.is_required,
    }


def _gate_words() -> dict[str, JsonValue]:
    """What gates are made of: subjects by their kind of value, statistics, axes, and patterns of values."""
    subjects = (*SHARES, *RATES, *LATENCIES)
    patterns = {
        "share": fields()["spec.decision.confidence"].rule["pattern"],
        "latency": fields()["spec.slo.ttft"].rule["pattern"],
        "rate": _items(fields()["spec.load.rate"])["pattern"],
    }
    return {
        "subjects": {name: _value_kind(name) for name in subjects},
        "stats": list(STATS),
        "axes": list(AXES),
        "patterns": patterns,
        "fall_when_worse": [name for name in subjects if falls_when_worse(name)],
    }


def _value_kind(subject: str) -> str:
    if subject in SHARES:
        return "share"
    return "latency" if subject in LATENCIES else "rate"


def _items(field: Field) -> Mapping[str, JsonValue]:
    items = field.rule["items"]
    return items if isinstance(items, dict) else {}


def _beginning(framework: str) -> dict[str, JsonValue]:
    """The values of the starter by their paths, but for those that are the defaults; gates as rows."""
    written = dict(_leaves(yaml.safe_load(starter(framework)), ""))
    known = {**fields(), **{each.path: each for each in settings(framework)}}
    rows: list[JsonValue] = [_row(parse_gate(str(each))) for each in _list(written.get("spec.gates"))]
    values = {path: value for path, value in written.items() if path in known and not _is_default(known[path], value)}
    return {**values, "spec.gates": rows}


def _is_default(field: Field, value: JsonValue) -> bool:
    return _meant(value) == _meant(field.default) and not field.path.startswith("spec.target.framework")


def _meant(value: JsonValue) -> JsonValue:
    """60s and 1m are the same."""
    try:
        return parse_duration(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _leaves(value: JsonValue, path: str) -> Iterator[tuple[str, JsonValue]]:
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _leaves(each, f"{path}.{name}" if path else name)
    else:
        yield path, value


def _list(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []


def _row(gate: Gate) -> dict[str, JsonValue]:
    """A gate as the controls of one row have it."""
    match gate.promise:
        case Bound(op, figure):
            promise, value = op, gate.format_value(figure)
        case change:
            promise, value = "within", format_share(change.max_worse)
    at = "" if gate.at is None else gate.at.op
    level = "" if gate.at is None else format_number(gate.at.value)
    row = {"subject": gate.subject, "stat": gate.stat or "p95", "op": promise, "value": value, "at": at}
    return {**row, "step": level, "level": gate.level.value}
