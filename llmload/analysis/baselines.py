"""Which earlier runs a run is compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from llmload.baseline import NoBaseline, Reference

Refer = Callable[[Mapping[str, str]], Reference]
"""Finds the baseline for a fingerprint among those that are known."""


def no_baseline(_: Mapping[str, str]) -> Reference:
    """For runs of which nobody looked for a baseline."""
    return NoBaseline("there is no baseline to compare with", "Record one with `llmload baseline update`")
