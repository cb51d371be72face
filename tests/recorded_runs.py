"""Recorded run results that every reporter must tell: one clean, one full of trouble, one that was imported,
one of classes and conversations.

Fixed values, no chance.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from llmload.store.imports import run_of
from tests.recorded_clean import CLEAN
from tests.recorded_foreign import HOSTILE, LONG_ERROR
from tests.recorded_parts import TALKS
from tests.recorded_trouble import TROUBLE

__all__ = ["CLEAN", "FROM_LOADTEST", "HOSTILE", "LONG_ERROR", "TALKS", "TROUBLE"]

_OLD = Path(__file__).parent / "store" / "loadtest" / "command.json"
_READ = run_of(_OLD.read_bytes(), "results/old.json", datetime(2026, 1, 5, tzinfo=UTC))
FROM_LOADTEST = replace(_READ, header=replace(_READ.header, version="0.1.0"))
"""A run of llm-loadtest: latencies of three percentiles only, a step without goodput and one without a success."""
