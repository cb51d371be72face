"""The lines of a Prometheus page that we have names for, out of the thousand that we have none for.

A page is read beside a measurement, so the other lines cost a comparison each. A line that is not whole does not count,
and one that cannot be read loses none of the others.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families

_LONGEST_LINE = 4096
_MOST_LINES = 20_000
"""More than any server tells of itself, or an exporter of 1,024 GPUs; a page that goes on is somebody's joke."""

Labels = frozenset[tuple[str, str]]


class Sample(NamedTuple):
    """The value of one series; finite."""

    labels: Mapping[str, str]
    value: float


Samples = Mapping[str, Mapping[Labels, Sample]]
"""The series by their names and labels. One that stands there twice is what it is the last time."""


def pattern_of(names: Iterable[str]) -> re.Pattern[bytes]:
    """What finds the whole lines of `names` on a page: name, labels as they stand there, and value.

    What follows the value (an instant, an exemplar) is of no use here. Labels may hold anything within their quotes.
    """
    families: dict[str, list[str]] = {}
    for name in sorted(set(names), reverse=True):  # the longer of two that begin alike is tried first
        family, colon, rest = name.rpartition(":")
        families.setdefault(family + colon, []).append(rest)
    wanted = "|".join(f"{re.escape(start)}(?:{'|'.join(map(re.escape, rest))})" for start, rest in families.items())
    labels = r'\{(?:[^"}\n]|"(?:[^"\\\n]|\\[^\n])*+")*+\}'
    line = rf"^({wanted})({labels})?[ \t]+([^\s_]+)(?=[ \t\r\n])[^\n]*\n"
    return re.compile(line.encode(), re.MULTILINE)


def read_samples(page: bytes, wanted: re.Pattern[bytes]) -> Samples:
    """The series on `page` that a pattern of `pattern_of` finds; whatever cannot be read is not there."""
    found: dict[str, dict[Labels, Sample]] = {}
    for lines, line in enumerate(wanted.finditer(page)):
        if lines == _MOST_LINES:
            break
        if line.end() - line.start() > _LONGEST_LINE:
            continue
        name, labels = line[1].decode(), _labels(line[2] or b"{}")
        value = _number(line[3])
        if labels is not None and value is not None:
            found.setdefault(name, {})[frozenset(labels.items())] = Sample(labels, value)
    return found


def _number(text: bytes) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


@lru_cache(maxsize=4096)  # the same series come every second
def _labels(text: bytes) -> Mapping[str, str] | None:
    """None: not the labels of a series."""
    try:
        families = list(text_string_to_metric_families(f"series{text.decode(errors='replace')} 0\n"))
        return families[0].samples[0].labels
    except (ValueError, LookupError):
        return None
