"""Frameworks of third parties: what installed distributions offer under the entry point group `llmload.frameworks`.

Nothing is read before a name is asked for that is not one of ours, and nothing is loaded but the one that is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from llmload.errors import UsageError
from llmload.frameworks.adapter import Adapter, Dialect, Listing, Versioning
from llmload.frameworks.settings import settings_of

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "llmload.frameworks"
_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_PARTS = {"dialects": Mapping, "models": Listing, "version": Versioning, "ran_against": str}


@dataclass(frozen=True, slots=True)
class Refusal:
    """An offer that cannot be used: which name, whose, and why."""

    name: str
    distribution: str
    because: str


def offers() -> Mapping[str, tuple[EntryPoint, ...]]:
    """What is offered, by name; usually one entry point each."""
    found, _ = _entries()
    return {name: tuple(each for each in found if each.name == name) for name in sorted({each.name for each in found})}


def unreadable() -> tuple[str, ...]:
    """Names of the distributions of which nobody can say what they offer."""
    return _entries()[1]


def load(name: str) -> Adapter:
    """The adapter that is offered as `name`. UsageError names the distribution whose offer cannot be used."""
    offered = offers()[name]
    if len(offered) > 1:
        owners = " and ".join(sorted(owner_of(entry) for entry in offered))
        raise UsageError(f"framework {name}", f"{owners} both offer it", "Uninstall all of them but one")
    return _load(offered[0])


def owner_of(entry: EntryPoint) -> str:
    """The distribution of an offer, with its version."""
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else "an unknown distribution"


@cache
def _entries() -> tuple[tuple[EntryPoint, ...], tuple[str, ...]]:
    """Every offer, and who could not be asked: one bad file makes importlib refuse all, so then each is asked alone."""
    from importlib.metadata import distributions, entry_points  # a tenth of what `llmload --help` may take

    try:
        return tuple(entry_points(group=GROUP)), ()
    except Exception:  # whatever importlib makes of somebody's broken file: not UTF-8, no such key, no such section
        found: list[EntryPoint] = []
        broken: list[str] = []
        seen: set[str] = set()
        for distribution in distributions():
            if distribution.name in seen:  # of one package in two folders the first is imported, as importlib has it
                continue
            seen.add(distribution.name)
            try:
                found += distribution.entry_points.select(group=GROUP)
            except Exception:  # as above; it is told by its name
                broken.append(distribution.name)
        return tuple(found), tuple(broken)


@cache
def _load(entry: EntryPoint) -> Adapter:
    owner = owner_of(entry)
    try:
        found = entry.load()
    except (Exception, SystemExit) as error:  # somebody else's code: whatever it does must not end ours
        said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise _refused(entry.name, owner, f"cannot be loaded ({said})") from None
    if (problem := _problem(entry.name, found)) is not None:
        raise _refused(entry.name, owner, f"cannot be used: {problem}")
    assert isinstance(found, Adapter)  # noqa: S101 - just checked
    return found


def _refused(name: str, owner: str, problem: str) -> UsageError:
    return UsageError(
        f"framework {name}", f"the plug-in of {owner} {problem}", "Upgrade or uninstall that distribution"
    )


def _problem(name: str, found: object) -> str | None:
    """Why an offer is no adapter that we could use."""
    if not isinstance(found, Adapter):
        return f"it is of type {type(found).__name__}, and not an llmload.frameworks.adapter.Adapter"
    if not _NAME.fullmatch(name):
        return "its name is not of small letters, digits, hyphens and underscores"
    if found.name != name:
        return f"it calls itself {found.name!r}"
    return _wrong_part(found)


def _wrong_part(found: Adapter) -> str | None:
    """What of an adapter would break those who list all of them."""
    for part, kind in _PARTS.items():  # nobody checked the types of somebody else's code
        if not isinstance(getattr(found, part), kind):
            return f"its {part} is not of type {kind.__name__}"
    if not found.dialects:
        return "it has no API"
    if strange := [api for api, dialect in found.dialects.items() if not _is_api(api, dialect)]:
        return f"its API {strange[0]!r} is not a name with a Dialect"
    try:
        settings_of(found.settings)
    except TypeError as error:
        return str(error)
    return None


def _is_api(name: object, dialect: object) -> bool:
    return isinstance(name, str) and _NAME.fullmatch(name) is not None and isinstance(dialect, Dialect)
