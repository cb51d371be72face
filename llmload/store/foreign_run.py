"""A row of `runs` that somebody else hands over: whether it names and describes its run as llmload does."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path

from llmload.plain_text import plain
from llmload.store.foreign_store import refused
from llmload.verdict import Status

_RUN_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{3,63}")
_SCENARIO = re.compile(r"[a-z0-9]([a-z0-9-]{0,98}[a-z0-9])?")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
_VERDICTS = {None, *(status.value for status in Status)}
_OBJECTS = ("labels", "environment", "fingerprint", "framework_config", "framework_actual")
_ARRAYS = ("declared", "left_out")


def refuse_unusable(source: Path, row: sqlite3.Row) -> None:
    """Ids and names become parts of addresses and of file names; every reader takes the documents for what they are."""
    run_id, scenario, created, verdict = row["run_id"], row["scenario"], row["created"], row["verdict"]
    if not _RUN_ID.fullmatch(run_id):
        raise refused(source, f"has a run of the id {plain(run_id, 80)!r}, which llmload does not give")
    if not _SCENARIO.fullmatch(scenario):
        raise refused(source, f"run {run_id} has a scenario of the name {plain(scenario, 80)!r}, which none may have")
    if not _INSTANT.fullmatch(created):
        raise refused(source, f"run {run_id} was begun at {plain(created, 80)!r}, which is no instant")
    if verdict not in _VERDICTS:
        raise refused(source, f"run {run_id} came to {plain(verdict, 80)!r}, which is no verdict")
    for kind, names in ((dict, _OBJECTS), (list, _ARRAYS)):
        for name in names:
            if row[name] is not None and not _is_document(row[name], kind):
                raise refused(source, f"run {run_id} has no readable {name}")
    if not all(isinstance(value, str) for value in json.loads(row["labels"]).values()):
        raise refused(source, f"run {run_id} has no readable labels")


def _is_document(text: str, kind: type[object]) -> bool:
    try:
        return isinstance(json.loads(text), kind)
    except (ValueError, RecursionError):
        return False
