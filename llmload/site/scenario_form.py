"""The fields of the scenario builder, made from the JSON Schema: what each may hold, its default, what it means.

Which fields are shown, in which order and under which label, is written here; all else is the schema's word.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from pydantic import JsonValue

from llmload.frameworks.embeddings import text_apis
from llmload.frameworks.registry import adapters
from llmload.scenario.document.capacity import MOST_HEADROOM
from llmload.scenario.document.load import DEFAULT_LADDER, DEFAULT_REQUESTS
from llmload.scenario.schema import Schema, scenario_schema
from llmload.units import format_duration, format_number, format_share

Kind = Literal["text", "choice", "flag", "whole", "number", "list", "several", "pairs"]
"""How a value is asked for: `list` is one line with commas, `several` boxes to tick, `pairs` rows of name and value,
where `values` of the rule is what a value may be."""

LABELS: Mapping[str, str] = {
    "metadata.name": "name",
    "metadata.description": "description",
    "metadata.labels": "labels",
    "spec.target.url": "url",
    "spec.target.simulator.profile": "profile",
    "spec.target.model": "model",
    "spec.target.framework": "framework",
    "spec.target.api_key.env": "api_key_env",
    "spec.target.api_key.file": "api_key_file",
    "spec.target.tls.verify": "verify",
    "spec.target.tls.ca_file": "ca_file",
    "spec.target.timeout.connect": "connect",
    "spec.target.timeout.first_token": "first_token",
    "spec.target.timeout.total": "total",
    "spec.target.transport": "transport",
    "spec.workload.prompts.synthetic.input_tokens": "input_tokens",
    "spec.workload.prompts.synthetic.input_tokens.mean": "mean",
    "spec.workload.prompts.synthetic.input_tokens.stdev": "stdev",
    "spec.workload.prompts.synthetic.input_tokens.uniform": "uniform",
    "spec.workload.prompts.synthetic.output_tokens": "output_tokens",
    "spec.workload.prompts.synthetic.output_tokens.mean": "mean",
    "spec.workload.prompts.synthetic.output_tokens.stdev": "stdev",
    "spec.workload.prompts.synthetic.output_tokens.uniform": "uniform",
    "spec.workload.prompts.synthetic.unique": "unique",
    "spec.workload.stream": "stream",
    "spec.workload.seed": "seed",
    "spec.load.concurrency": "concurrency",
    "spec.load.rate": "rate",
    "spec.load.arrival": "arrival",
    "spec.load.ramp": "ramp",
    "spec.load.requests": "requests",
    "spec.load.duration": "duration",
    "spec.load.warmup.requests": "warmup",
    "spec.load.cooldown": "cooldown",
    "spec.load.max_duration": "max_duration",
    "spec.load.max_in_flight": "max_in_flight",
    "spec.load.workers": "workers",
    "spec.load.guards.error_rate": "guard_errors",
    "spec.load.guards.no_first_token": "guard_first_token",
    "spec.load.guards.dead_server": "guard_dead",
    "spec.slo.ttft": "ttft",
    "spec.slo.tpot": "tpot",
    "spec.slo.e2e": "e2e",
    "spec.decision.confidence": "confidence",
    "spec.decision.max_requests": "max_requests",
    "spec.decision.repeats": "repeats",
    "spec.decision.on_inconclusive": "on_inconclusive",
    "spec.decision.on_missing_baseline": "on_missing_baseline",
    "spec.decision.on_incomparable": "on_incomparable",
    "spec.recommend.peak_concurrency": "peak_concurrency",
    "spec.recommend.daily_active_users": "daily_active_users",
    "spec.recommend.requests_per_user_per_day": "requests_per_user",
    "spec.recommend.peak_factor": "peak_factor",
    "spec.recommend.goodput_target": "goodput_target",
    "spec.recommend.headroom": "headroom",
    "spec.recommend.gpu.model": "gpu_model",
    "spec.recommend.gpu.count": "gpu_count",
    "spec.recommend.gpu.usd_per_hour": "usd_per_hour",
    "spec.recommend.prices": "prices",
    "spec.reports.dir": "dir",
    "spec.reports.formats": "formats",
}
"""The fields of every framework by their path, in the order in which they are written, and the words they go by."""

ELSEWHERE: Mapping[str, str] = {
    "apiVersion": "always the same",
    "kind": "always the same",
    "extends": "names files that a browser does not see",
    "spec.gates": "has rows of its own",
    "spec.matrix": "several runs; written by hand",
    "spec.telemetry": "what is left out is right for most",
    "spec.target.api": "belongs to the framework",
    "spec.target.framework_config": "belongs to the framework",
    "spec.target.headers": "values of headers are often secrets",
    "spec.target.launch": "a command line; written by hand",
    "spec.target.simulator": "only its profile is asked for",
    "spec.workload.api": "embeddings; written by hand",
    "spec.workload.mixture": "several kinds of prompts; written by hand",
    "spec.workload.sessions": "conversations; written by hand",
    "spec.workload.sampling": "frameworks take different fields",
    "spec.workload.tokenizer": "names a file that a browser does not see",
    "spec.workload.prompts.file": "names a file that a browser does not see",
    "spec.workload.prompts.synthetic.images": "needs a model that sees; written by hand",
    "spec.workload.prompts.synthetic.lengths": "names a file that a browser does not see",
    "spec.workload.prompts.synthetic.shared_prefix": "written by hand",
    "spec.load.trace": "names a file that a browser does not see",
    "spec.load.engine": "several machines; written by hand",
    "spec.load.address": "several machines; written by hand",
    "spec.recommend.price_file": "names a file that a browser does not see",
}
"""Parts of a scenario that no field asks for, and why."""

_IMPLIED: Mapping[str, JsonValue] = {
    "spec.load.concurrency": list(DEFAULT_LADDER),
    "spec.load.requests": DEFAULT_REQUESTS,
    "spec.load.arrival": "poisson",
}
"""Defaults that the schema does not tell, since they depend on what else is written."""

_POSITIVE = {r"^(0+(\.0+)?[^0-9]+)+$": "positive"}
_REFUSED: Mapping[str, Mapping[str, str]] = {
    "spec.target.url": {
        r"/v1/*([?#].*)?$": "no_v1",
        r"^https?://[^/]*@": "no_password",
        r"[^\x21-\x7e]": "no_blank",
        r"^https?://([/?#:]|$)": "no_host",
    },
    **dict.fromkeys(("spec.load.rate", "spec.load.duration", "spec.load.max_duration"), _POSITIVE),
    **dict.fromkeys(("spec.load.guards.no_first_token", "spec.load.guards.dead_server"), _POSITIVE),
    **dict.fromkeys((f"spec.slo.{term}" for term in ("ttft", "tpot", "e2e")), _POSITIVE),
    **dict.fromkeys((f"spec.target.timeout.{part}" for part in ("connect", "first_token", "total")), _POSITIVE),
}
"""What `llmload validate` refuses beyond the schema, which editors read: patterns, and the name of what is said."""

_PERCENT: Mapping[str, Mapping[str, JsonValue]] = {
    "spec.decision.confidence": {"percent_minimum": 50, "percent_below": 100},
    "spec.load.guards.error_rate": {"percent_below": 100},
    "spec.recommend.goodput_target": {"percent_above": 0, "percent_below": 100},
    "spec.recommend.headroom": {"percent_maximum": 100 * MOST_HEADROOM},
}
"""Bounds of shares, which the schema cannot hold since shares are texts."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field: where its value stands, and what the schema says of it. `rule` has the schema's own keywords."""

    path: str
    kind: Kind
    rule: Mapping[str, JsonValue]
    default: JsonValue
    about: str  # the schema's description, in English; often empty
    is_required: bool

    @property
    def name(self) -> str:
        """Its key in the file."""
        return self.path.rpartition(".")[2]

    @property
    def options(self) -> Sequence[JsonValue]:
        """What a choice is made of."""
        items = self.rule.get("items")
        found = self.rule.get("enum", items.get("enum", []) if isinstance(items, dict) else [])
        return [each for each in found if each not in _ALIASES] if isinstance(found, list) else []

    @property
    def shown_default(self) -> str:
        """The default as it would be typed; empty where there is none."""
        match self.default:
            case None:
                return ""
            case bool():
                return str(self.default).lower()
            case list():
                return ", ".join(str(each) for each in self.default)
            case float():
                return format_number(self.default)
            case _:
                return str(self.default)


_ALIASES = ("xlsx",)


def framework_names() -> tuple[str, ...]:
    """Every framework that can be used, plug-ins included."""
    return tuple(adapters())


@cache
def fields() -> Mapping[str, Field]:
    """The fields of every framework by path."""
    schema = scenario_schema()
    return {path: _field(schema, path, path) for path in LABELS}


@cache
def settings(framework: str) -> tuple[Field, ...]:
    """What may be declared of a server of this framework, `api` first."""
    schema = scenario_schema()
    adapter = adapters()[framework]
    apis: list[JsonValue] = list(text_apis(adapter))
    about = "Which of the framework's APIs; its usual one if not written"
    api = Field("spec.target.api", "choice", {"enum": apis}, apis[0], about, is_required=False)
    node = _settings_schema(schema, framework)
    own = (_made(schema, f"spec.target.framework_config.{name}", each, each) for name, each in _properties(node))
    return (api, *own)


def _settings_schema(schema: Schema, framework: str) -> Schema:
    conditions = _map(_definitions(schema)["Target"])["allOf"]
    for each in conditions if isinstance(conditions, list) else ():
        chosen = _map(_map(_map(_map(each)["if"])["properties"])["framework"])
        if chosen["const"] == framework:
            settings_of = _map(_map(_map(_map(each)["then"])["properties"])["framework_config"])
            return _followed(schema, settings_of)
    raise KeyError(framework)


def _field(schema: Schema, path: str, whole: str) -> Field:
    """Walks down the schema; KeyError where it has no such path."""
    node, own, inherited, is_required = schema, schema, None, False
    for step in path.split("."):
        parent = next(each for each in _branches(schema, node) if step in dict(_properties(each)))
        required = parent.get("required", [])
        is_required = isinstance(required, list) and step in required
        own = node = dict(_properties(parent))[step]
        inherited = inherited.get(step) if isinstance(inherited, dict) and step in inherited else node.get("default")
    found = _made(schema, whole, node, own)
    default = _IMPLIED.get(whole, _written(inherited, found.rule))
    return Field(whole, found.kind, found.rule, default, found.about, is_required)


def _made(schema: Schema, path: str, node: Schema, own: Schema) -> Field:
    branches = [each for each in _branches(schema, node) if each.get("type") != "null"]
    simple = [each for each in branches if each.get("type") != "object"] or branches
    rule = dict(simple[0])
    if words := [each["const"] for each in simple if "const" in each]:
        rule = {**next(each for each in simple if "const" not in each), "words": words}
    if isinstance(items := rule.get("items"), dict):
        rule["items"] = {name: value for name, value in items.items() if name in _KEPT}
    if isinstance(values := rule.get("additionalProperties"), dict):
        rule["values"] = {name: value for name, value in values.items() if name in _KEPT}
    kind = _kind(rule)
    if kind == "flag" and (len(branches) < len(list(_branches(schema, node))) or "framework_config" in path):
        kind, rule["enum"] = "choice", [True, False]  # a third answer: not told
    kept = {name: value for name, value in rule.items() if name in _KEPT}
    if refused := _REFUSED.get(path):
        kept["refused"] = dict(refused)
    kept |= _PERCENT.get(path, {})
    return Field(path, kind, kept, own.get("default"), str(own.get("description", "")), is_required=False)


_KEPT = (
    *("type", "enum", "pattern", "minimum", "maximum", "exclusiveMinimum", "minLength", "maxLength"),
    *("items", "minItems", "maxItems", "examples", "words", "values"),
)


_KINDS: Mapping[object, Kind] = {
    "array": "list",
    "boolean": "flag",
    "integer": "whole",
    "number": "number",
    "object": "pairs",
    "string": "text",
}


def _kind(rule: Schema) -> Kind:
    items = rule.get("items")
    if isinstance(items, dict) and "enum" in items:
        return "several"
    return "choice" if "enum" in rule else _KINDS[rule.get("type")]


def _branches(schema: Schema, node: Schema) -> Iterator[Schema]:
    """A node of the schema with its references followed, and each of its alternatives."""
    node = _followed(schema, node)
    alternatives = node.get("anyOf", node.get("oneOf"))
    if isinstance(alternatives, list):
        for each in alternatives:
            yield from _branches(schema, _map(each))
    else:
        yield node


def _followed(schema: Schema, node: Schema) -> Schema:
    reference = node.get("$ref")
    return _map(_definitions(schema)[reference.rpartition("/")[2]]) if isinstance(reference, str) else node


def _properties(node: Schema) -> Iterator[tuple[str, Schema]]:
    return ((name, _map(each)) for name, each in _map(node.get("properties", {})).items())


def _definitions(schema: Schema) -> Schema:
    return _map(schema["$defs"])


def _map(value: JsonValue) -> Schema:
    if not isinstance(value, dict):
        raise TypeError(f"the schema has {type(value).__name__} where a map is")
    return value


def _written(default: JsonValue, rule: Mapping[str, JsonValue]) -> JsonValue:
    """A default as an author writes it: the models have seconds and shares, which the file does not."""
    if rule.get("type") != "string" or isinstance(default, bool) or not isinstance(default, int | float):
        return default
    return format_share(default) if "%" in str(rule.get("pattern")) else format_duration(default)
