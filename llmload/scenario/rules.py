"""What must hold between sections of a document. Each rule runs on the sections that are valid by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import TypeVar

from pydantic import BaseModel

from llmload.frameworks.embeddings import EMBEDDINGS, text_apis
from llmload.frameworks.registry import REGISTRY, adapter_for
from llmload.promises import Gate
from llmload.promises import Slo as SloTerms
from llmload.scenario.document.capacity import Recommend
from llmload.scenario.document.lengths import LognormalLengths, Spread, UniformLengths
from llmload.scenario.document.load import DEFAULT_REQUESTS, Load
from llmload.scenario.document.promises import Decision, GateForm, Slo
from llmload.scenario.document.root import ScenarioDocument, Spec
from llmload.scenario.document.settings import settings_model
from llmload.scenario.document.target import Target
from llmload.scenario.document.workload import Prompts, Workload
from llmload.scenario.embeddings import embedding_refusals
from llmload.scenario.gate_form import FieldError, gate_of
from llmload.scenario.image_rules import image_refusals
from llmload.scenario.mixture_rules import class_refusal, mixture_refusals
from llmload.scenario.nearest import nearest
from llmload.scenario.prefix_terms import prefix_refusals
from llmload.scenario.session_rules import session_refusals
from llmload.scenario.tree import Entries, Items, Node, Scalar, Step, Trouble, find, format_path
from llmload.scenario.validation import key_place, validate
from llmload.units import format_duration, format_number

_STREAMED = ("ttft", "ttfo", "tpot", "itl_max")
_PER_TOKEN = ("tpot", "itl_max")
_GPUS_OF_A_REPLICA = ("tensor_parallel_size", "pipeline_parallel_size")
DEFAULT_MAX_REQUESTS = 1600
RECOMMENDED_SLO = SloTerms(ttft_ms=500, tpot_ms=50)
"""What `recommend` holds the server to where the author writes no SLO."""

_RECOMMEND: tuple[Step, ...] = ("spec", "recommend")
_MIXTURE: tuple[Step, ...] = ("spec", "workload", "mixture")
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Sections:
    """The sections of `spec` that are valid by themselves; None for those that are not, or not written."""

    target: Target | None
    workload: Workload | None
    load: Load | None
    slo: Slo | None
    decision: Decision | None
    gates: tuple[tuple[int, Gate], ...]
    recommend: Recommend | None


def check(root: Node, document: ScenarioDocument | None) -> list[Trouble]:
    """Every rule between sections that the document breaks; where it is not valid as a whole, of those that are."""
    spec = find(root, ("spec",))
    if not isinstance(spec, Entries):
        return []
    gates, troubles = _gates(spec.get("gates"))
    sections = _sections(document.spec, gates) if document else _valid_sections(spec, gates)
    for rule in (
        _api,
        _of_some_apis,
        _settings,
        _at_names_a_step,
        _ids_differ,
        _mixture_suits,
        _classes_are_known,
        _prefix_suits,
        _gates_can_have_data,
        _slo_can_have_data,
        _sample,
        _in_time,
        _closed_loop_for_capacity,
        _capacity_can_have_data,
        _whole_replicas,
        _conversations,
    ):
        troubles.extend(rule(sections, root))
    return troubles


def _sections(spec: Spec, gates: tuple[tuple[int, Gate], ...]) -> Sections:
    return Sections(spec.target, spec.workload, spec.load, spec.slo, spec.decision, gates, spec.recommend)


def _valid_sections(spec: Entries, gates: tuple[tuple[int, Gate], ...]) -> Sections:
    return Sections(
        target=_valid(spec, "target", Target),
        workload=_valid(spec, "workload", Workload) if spec.get("workload") else Workload(),
        load=_valid(spec, "load", Load) if spec.get("load") else Load(),
        slo=_valid(spec, "slo", Slo),
        decision=_valid(spec, "decision", Decision) if spec.get("decision") else Decision(),
        gates=gates,
        recommend=_valid(spec, "recommend", Recommend),
    )


def _valid(spec: Entries, name: str, model: type[Model]) -> Model | None:
    node = spec.get(name)
    return validate(model, node).value if node else None


def at_path(root: Node, path: tuple[Step, ...], message: str, hint: str, offset: int = 0) -> Trouble:
    """A trouble at the value of `path`, or at the nearest place above it that is written."""
    written = path
    while (node := find(root, written)) is None:
        written = written[:-1]
    place = node.inside(offset) if isinstance(node, Scalar) and offset else node.place
    return Trouble(place, format_path(path), message, hint)


def gate_troubles(root: Node) -> list[Trouble]:
    """What is wrong with each gate by itself, whatever the scenario around it."""
    return _gates(find(root, ("spec", "gates")))[1]


def _gates(node: Node | None) -> tuple[tuple[tuple[int, Gate], ...], list[Trouble]]:
    gates: list[tuple[int, Gate]] = []
    troubles: list[Trouble] = []
    for index, item in enumerate(node.nodes if isinstance(node, Items) else ()):
        if isinstance(item, Scalar) and isinstance(item.value, str):
            form: str | GateForm | None = item.value
        else:
            form = validate(GateForm, item).value if isinstance(item, Entries) else None
        if form is None:
            continue  # its own troubles are told with the whole document
        try:
            gates.append((index, gate_of(form, item.place.line)))
        except FieldError as error:
            inner = at_path(item, error.field, error.message, error.hint, error.offset)
            path = format_path(("spec", "gates", index, *error.field))
            troubles.append(Trouble(inner.place, path, inner.message, inner.hint))
    return tuple(gates), troubles


def _api(sections: Sections, root: Node) -> Iterator[Trouble]:
    target = sections.target
    if target is None or target.api is None:
        return
    known = text_apis(adapter_for(target.framework))
    if target.api not in (*known, EMBEDDINGS):
        message = f"{target.framework} has no API {target.api!r}"
        yield at_path(root, ("spec", "target", "api"), message, nearest(target.api, known))


def _of_some_apis(sections: Sections, root: Node) -> Iterator[Trouble]:
    if sections.workload is not None:
        refusals = [
            *embedding_refusals(sections.target, sections.workload, sections.load, root),
            *image_refusals(sections.target, sections.workload),
        ]
        yield from (at_path(root, path, message, hint) for path, message, hint in refusals)


def _settings(sections: Sections, root: Node) -> Iterator[Trouble]:
    target = sections.target
    path: tuple[Step, ...] = ("spec", "target", "framework_config")
    node = find(root, path)
    if target is None or node is None:
        return
    known, written = _settings_of(target.framework), target.framework_config.keys()
    foreign = [name for name in written if name not in known]
    owners = [other for other in REGISTRY if foreign and written <= _settings_of(other)]
    if owners:  # the block of another framework: one mistake, however many keys it has
        kind = "is a setting" if len(foreign) == 1 else "are settings"
        owner = " and ".join(owners)
        message = f"{', '.join(foreign)} {kind} of {owner}, and the framework is {target.framework}"
        own = f"{target.framework} has {', '.join(sorted(known))}" if known else f"{target.framework} has no settings"
        hint = f"Write framework: {owners[0]}, or correct the block: {own}"
        yield Trouble(key_place(root, (*path, foreign[0])), format_path(path), message, hint)
        return
    yield from validate(settings_model(adapter_for(target.framework).settings), node, path).troubles


def _settings_of(framework: str) -> set[str]:
    return set(settings_model(adapter_for(framework).settings).model_fields)


def _at_names_a_step(sections: Sections, root: Node) -> Iterator[Trouble]:
    load = sections.load
    if load is None:
        return
    for index, gate in sections.gates:
        if gate.at is None or any(gate.at.covers(load.axis or "", level) for level in load.levels):
            continue
        path: tuple[Step, ...] = ("spec", "gates", index)
        path = (*path, "at") if find(root, (*path, "at")) else path
        steps = ", ".join(format_number(level) for level in load.levels)
        hint = f"The steps are {load.axis} {steps}" if load.axis else "A trace has no steps; delete 'at'"
        offset = str(gate_text(root, index)).rfind("at ")
        yield at_path(root, path, f"'{gate.at}' names no step of this scenario", hint, max(offset, 0))


def gate_text(root: Node, index: int) -> str:
    """The one-line form as it is written, or nothing for the long form."""
    node = find(root, ("spec", "gates", index))
    return str(node.value) if isinstance(node, Scalar) else ""


def _ids_differ(sections: Sections, root: Node) -> Iterator[Trouble]:
    first: dict[str, int] = {}
    for index, gate in sections.gates:
        if gate.id in first:
            path: tuple[Step, ...] = ("spec", "gates", index)
            path = (*path, "id") if find(root, (*path, "id")) else path
            other = find(root, ("spec", "gates", first[gate.id]))
            line = other.place.line if other else 0
            message = f"the gate {gate.id} stands twice"
            yield at_path(root, path, message, f"Delete one, or give it an id of its own; the first is on line {line}")
        first.setdefault(gate.id, index)


def _mixture_suits(sections: Sections, root: Node) -> Iterator[Trouble]:
    if sections.workload is not None:
        seeks = sections.recommend is not None
        for message, hint in mixture_refusals(sections.workload, sections.load, seeks_capacity=seeks):
            yield Trouble(key_place(root, _MIXTURE), format_path(_MIXTURE), message, hint)


def _classes_are_known(sections: Sections, root: Node) -> Iterator[Trouble]:
    for index, gate in sections.gates:
        if sections.workload is None or (refusal := class_refusal(gate, sections.workload)) is None:
            continue
        path: tuple[Step, ...] = ("spec", "gates", index)
        path = (*path, "class") if find(root, (*path, "class")) else path
        offset = max(gate_text(root, index).find(f" {gate.traffic_class} ") + 1, 0)
        yield at_path(root, path, *refusal, offset)


def _gates_can_have_data(sections: Sections, root: Node) -> Iterator[Trouble]:
    workload = sections.workload
    if workload is None:
        return
    for index, gate in sections.gates:
        if reason := _no_data(gate.subject, workload, sections.load, gate.traffic_class):
            path: tuple[Step, ...] = ("spec", "gates", index)
            path = (*path, "metric") if find(root, (*path, "metric")) else path
            offset = max(gate_text(root, index).find(gate.subject), 0)
            yield at_path(root, path, f"{gate.subject} can never have data: {reason[0]}", reason[1], offset)


def _slo_can_have_data(sections: Sections, root: Node) -> Iterator[Trouble]:
    workload = sections.workload
    if workload is None:
        return
    places: list[tuple[Slo | None, tuple[Step, ...], str | None]] = [(sections.slo, ("spec", "slo"), None)]
    for index, each in enumerate(workload.mixture or ()):
        places.append((each.slo, (*_MIXTURE, index, "slo"), each.traffic_class))
    for slo, path, traffic_class in places:
        for term in ("ttft", "tpot"):
            if slo is None or getattr(slo, term) is None:
                continue
            if reason := _no_data(term, workload, sections.load, traffic_class):
                yield at_path(root, (*path, term), f"{term} can never have data: {reason[0]}", reason[1])


def _no_data(
    metric: str, workload: Workload, load: Load | None, traffic_class: str | None = None
) -> tuple[str, str] | None:
    """Why this metric has no figure and what to do; None where it has one. Of all requests, or of one class."""
    if metric in _STREAMED and workload.api == EMBEDDINGS:
        return "embeddings are not streamed", "Use e2e instead"
    if metric == "output_tps" and workload.api == EMBEDDINGS:
        return "embeddings have no output tokens", "Use total_tps instead, which counts their input tokens"
    if metric in _STREAMED and not workload.stream:
        return "answers are not streamed (stream: false)", "Write stream: true, or use e2e instead"
    brings_lengths = load is not None and load.trace is not None
    if metric in _PER_TOKEN and not brings_lengths and _have_one_token(workload, traffic_class):
        return "answers have one token only", "Raise output_tokens to 2 or more, or use e2e instead"
    return None


def _have_one_token(workload: Workload, traffic_class: str | None) -> bool:
    """Whether no answer has several tokens: of a class, or of all of them."""
    kinds = [each.prompts for each in workload.mixture or () if traffic_class in (None, each.traffic_class)]
    return all(_longest_answer(each) == 1 for each in kinds or [workload.prompts])


def _longest_answer(prompts: Prompts) -> int | None:
    synthetic, file = prompts.synthetic, prompts.file
    if synthetic is not None and synthetic.lengths is not None:
        return None  # nobody has read them yet
    described = file or synthetic
    lengths = described.output_tokens if described else None
    match lengths:
        case int():
            return lengths
        case UniformLengths(uniform=bounds):
            return bounds[1]
        case LognormalLengths(lognormal=spread):
            return spread.longest
        case Spread():
            return lengths.longest
        case None:
            return None


def _prefix_suits(sections: Sections, root: Node) -> Iterator[Trouble]:
    if sections.workload is not None:
        for path, message, hint in prefix_refusals(sections.workload, sections.load):
            yield at_path(root, path, message, hint)


def _sample(sections: Sections, root: Node) -> Iterator[Trouble]:
    load, decision = sections.load, sections.decision
    if load is None or decision is None or decision.max_requests is None or load.trace is not None:
        return
    requests = _first_window(load)
    if requests is not None and decision.max_requests < requests:
        message = f"max_requests {decision.max_requests} is below the {requests} requests of the first window"
        yield at_path(root, ("spec", "decision", "max_requests"), message, f"Write {requests} or more")


def _in_time(sections: Sections, root: Node) -> Iterator[Trouble]:
    """A rate says how long its requests take at least, whatever the server does."""
    load = sections.load
    requests = _first_window(load) if load is not None else None
    if load is None or load.rate is None or requests is None:
        return
    for index, rate in enumerate(load.rate):
        takes_s = requests / rate
        if takes_s > load.max_duration:
            level, limit = format_number(rate), format_duration(load.max_duration)
            took = f"{requests} requests at {level}/s take {format_duration(round(takes_s, 3))}"
            fit = max(1, int(rate * load.max_duration))
            hint = f"Raise max_duration, or write requests: {fit}, or a duration instead of requests"
            yield at_path(root, ("spec", "load", "rate", index), f"{took}, and max_duration is {limit}", hint)


def _first_window(load: Load) -> int | None:
    """How many requests the first window of a step measures; None where the load says only how long."""
    return load.requests if load.requests or load.duration else DEFAULT_REQUESTS


def _closed_loop_for_capacity(sections: Sections, root: Node) -> Iterator[Trouble]:
    """Capacity is a number of requests in flight, which an open loop leaves to the server."""
    load = sections.load
    if not isinstance(find(root, _RECOMMEND), Entries) or load is None or load.axis == "concurrency":
        return
    shape = "a trace" if load.trace is not None else "a rate"
    message = f"capacity is counted in requests in flight, and the load is {shape}"
    hint = "Write load.concurrency instead, like [1, 10, 50], or delete recommend"
    yield Trouble(key_place(root, _RECOMMEND), format_path(_RECOMMEND), message, hint)


def _capacity_can_have_data(sections: Sections, root: Node) -> Iterator[Trouble]:
    """Where the author writes no SLO, the usual one must be measurable."""
    spec = find(root, ("spec",))
    is_written = isinstance(spec, Entries) and spec.get("slo") is not None and sections.slo is not None
    if sections.recommend is None or sections.workload is None or is_written:
        return
    usual = {"ttft": RECOMMENDED_SLO.ttft_ms, "tpot": RECOMMENDED_SLO.tpot_ms}
    for term in usual:
        if reason := _no_data(term, sections.workload, sections.load):
            shown = ", ".join(f"{name} {format_number(limit or 0)}ms" for name, limit in usual.items())
            message = f"without an slo it asks for {shown}, and {term} can never have data: {reason[0]}"
            hint = "Write an slo that can be measured, like slo: {e2e: 30s}"
            yield Trouble(key_place(root, _RECOMMEND), format_path(_RECOMMEND), message, hint)
            return


def _whole_replicas(sections: Sections, root: Node) -> Iterator[Trouble]:
    """GPUs come in groups, one for each copy of the model."""
    target, gpu = sections.target, sections.recommend.gpu if sections.recommend else None
    if target is None or gpu is None or gpu.count is None:
        return
    sizes = {name: target.framework_config.get(name) for name in _GPUS_OF_A_REPLICA}
    written = {name: size for name, size in sizes.items() if isinstance(size, int) and size > 1}
    group = prod(written.values())
    if gpu.count % group:
        message = f"{gpu.count} is no multiple of the {group} GPUs of one replica ({' x '.join(written)})"
        hint = f"Write all GPUs that the measured server uses: {group}, {2 * group}, ..."
        yield at_path(root, (*_RECOMMEND, "gpu", "count"), message, hint)


def _conversations(sections: Sections, root: Node) -> Iterator[Trouble]:
    target, workload = sections.target, sections.workload
    if workload is None:
        return
    dialects = {} if target is None else adapter_for(target.framework).dialects
    for path, message, hint in session_refusals(workload, sections.load, dialects, target.api if target else None):
        place = key_place(root, path) if path[1] == "load" else at_path(root, path, message, hint).place
        yield Trouble(place, format_path(path), message, hint)
