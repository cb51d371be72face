"""The scenario whose capacity is asked for: a file with flags over it, flags alone, or a stored run's."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from os.path import relpath
from pathlib import Path

import yaml

from llmload.cli.flags import DEFAULT_LADDER, Flag, check_sets, whole_numbers
from llmload.domain import COMMAND_LINE
from llmload.errors import UsageError
from llmload.plain_text import plain
from llmload.scenario.asked import ClosedLoop, Scenario
from llmload.scenario.conversion import overridden
from llmload.scenario.loader import load, load_resolved, load_text, merged_text
from llmload.scenario.text_file import read_file
from llmload.scenario.tree import Node, find

FIRST_LOOK = 50
"""Measured requests of the first look at each load; adaptive looks go on from there."""

_PEAK = "spec.recommend.peak_concurrency"
_PRICE_FILE = "spec.recommend.price_file"
_OF_DEMAND = ("spec.recommend.", "spec.slo.")
_USUAL = (Flag("--ttft-target", "spec.slo.ttft", "500ms"), Flag("--tpot-target", "spec.slo.tpot", "50ms"))
"""What requests are held to where neither file nor flag says it."""

_NO_PEAK = "nobody says how many requests are in flight at the busiest time"
_ADD_PEAK = "Add --peak-concurrency 500"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says of the scenario: flags, and then `--set`."""

    flags: tuple[Flag, ...]
    sets: Sequence[str]
    env: Mapping[str, str]

    def has(self, path: str) -> bool:
        """Whether a flag sets what lies at this path."""
        return any(flag.path == path for flag in self.flags)


def scenario_of(file: Path | None, asked: Asked) -> Callable[[], Scenario]:
    """What loads the scenario; UsageError at once where flags contradict each other, the file or `--set`."""
    check_sets(asked.flags, asked.sets)
    return _of_flags(asked) if file is None else _of_file(file, asked)


# ---------------------------------------------------------------- flags alone


def _of_flags(asked: Asked) -> Callable[[], Scenario]:
    if not asked.has("spec.target.url"):
        raise UsageError(
            "recommend", "nothing says which server to measure", "Name a scenario FILE, --server URL or --from-run RUN"
        )
    if not asked.has(_PEAK) and not any(text.startswith(_PEAK) for text in asked.sets):
        raise UsageError("--peak-concurrency", _NO_PEAK, _ADD_PEAK)
    spec = {
        "target": {"framework": "openai"},
        "load": {"concurrency": list(whole_numbers("--concurrency-steps", DEFAULT_LADDER)), "requests": FIRST_LOOK},
        "slo": {flag.path.rpartition(".")[2]: flag.value for flag in _USUAL},
    }
    document = {"apiVersion": "llmload/v1", "kind": "Scenario", "metadata": {"name": "recommend"}, "spec": spec}
    sets = [*(flag.assignment for flag in asked.flags), *asked.sets]
    text = overridden(yaml.safe_dump(document, sort_keys=False), COMMAND_LINE, sets)
    return partial(load_text, text, COMMAND_LINE, env=asked.env, directory=Path())


# ---------------------------------------------------------------- a file


def _of_file(file: Path, asked: Asked) -> Callable[[], Scenario]:
    root = merged_text(read_file(file), str(file), sets=asked.sets, env=asked.env, directory=file.parent)
    flags = tuple(_beside(flag, file) for flag in asked.flags)
    if root is not None:  # where it cannot be read, the loader tells all that is wrong
        _check_server(root, file, asked)
        if find(root, tuple(_PEAK.split("."))) is None and not asked.has(_PEAK):
            raise UsageError(str(file), f"{_NO_PEAK} (no {_PEAK})", _ADD_PEAK)
        if find(root, ("spec", "slo")) is None:
            flags = (*flags, *_other_terms(flags))
    sets = [*(flag.assignment for flag in flags), *asked.sets]
    return partial(load, file, sets=sets, env=asked.env)


def _beside(flag: Flag, file: Path) -> Flag:
    """A file on the command line lies where the command is given, and one in a scenario beside it."""
    if flag.path != _PRICE_FILE:
        return flag
    return Flag(flag.option, flag.path, relpath(str(flag.value), file.parent))


def _check_server(root: Node, file: Path, asked: Asked) -> None:
    for place in ("simulator", "launch"):
        if asked.has("spec.target.url") and find(root, ("spec", "target", place)) is not None:
            problem = f"{file} starts a server of its own (spec.target.{place})"
            raise UsageError("--server", problem, "Leave it out, or name a scenario of a server that runs already")


def _other_terms(flags: Sequence[Flag]) -> tuple[Flag, ...]:
    """The usual targets beside the only one that was written; nothing where none was: the scenario knows them."""
    given = {flag.path for flag in flags if flag.path.startswith("spec.slo.")}
    return tuple(flag for flag in _USUAL if flag.path not in given) if given else ()


# ---------------------------------------------------------------- a stored run


def check_stored(asked: Asked, others: Mapping[str, object]) -> None:
    """UsageError where something is asked for that only a new measurement could answer; `others` by their names."""
    measuring = [flag.option for flag in asked.flags if not flag.path.startswith(_OF_DEMAND)]
    measuring += [name for name, value in others.items() if value]
    if measuring:
        remedy = "Leave it out, or measure again without --from-run"
        raise UsageError(measuring[0], "speaks of a measurement, and --from-run makes none", remedy)


def scenario_of_run(run_id: str, resolved: str, asked: Asked) -> Scenario:
    """The scenario that a run was made by, with the demand of the flags in place of its own.

    `resolved` is its document as the store has it. UsageError where no demand is known, or the run cannot answer it.
    """
    where = f"run {run_id}"
    load_resolved(resolved)  # whoever wrote it: a store may come from anyone
    whole = json.loads(resolved)
    spec = whole["spec"]
    for flag in (*asked.flags, *(() if spec.get("slo") else _other_terms(asked.flags))):
        _put(whole, flag.path.split("."), flag.value)
    if "peak_concurrency" not in (spec.get("recommend") or {}):
        raise UsageError("--peak-concurrency", f"{_NO_PEAK}: {where} was made without recommend", _ADD_PEAK)
    _take_prices(spec["recommend"])
    _check(spec)
    scenario = load_resolved(json.dumps(whole))
    if not isinstance(scenario.load.shape, ClosedLoop):
        problem = f"{where} was made by a load that is no number of requests in flight"
        raise UsageError("--from-run", problem, "Name a run of load.concurrency")
    return scenario


def _put(whole: dict[str, object], path: Sequence[str], value: object) -> None:
    *parents, last = path
    place = whole
    for name in parents:
        below = place.get(name)
        place[name] = below if isinstance(below, dict) else {}
        place = place[name]  # type: ignore[assignment]  # a map since the line above
    place[last] = value


def _take_prices(recommend: dict[str, object]) -> None:
    """The prices of a file that a flag names, over those that the run was made with."""
    from llmload.scenario.price_file import read_prices

    file, kept = recommend.pop("price_file", None), recommend.get("prices")
    if file is None:
        return
    listed = read_prices(str(file))
    names = {name.casefold() for name in listed}
    others = {name: usd for name, usd in kept.items() if name.casefold() not in names} if isinstance(kept, dict) else {}
    recommend["prices"] = {**others, **listed}


def _check(spec: Mapping[str, object]) -> None:
    """UsageError where a flag's value is none that a scenario takes: what is stored was judged already."""
    from pydantic import ValidationError

    from llmload.scenario.document.capacity import Recommend
    from llmload.scenario.document.promises import Slo

    try:
        Recommend.model_validate(spec["recommend"])
        if spec.get("slo"):
            Slo.model_validate(spec["slo"])
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError("--from-run", f"{plain(where)}: {plain(first['msg'])}", "Correct that flag") from None
