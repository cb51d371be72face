"""Every chart of a run, as Vega-Lite: one specification feeds the page, the pictures in Markdown and the site."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Spec = Mapping[str, object]
"""A Vega-Lite document with its data inside; it refers to nothing outside."""


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart. `name` is what its file is named by, `summary` what it shows, for those who cannot see it."""

    name: str
    title: str
    summary: str
    spec: Spec
