"""Which cell of the matrix of its scenario a run is, told by a label of the run, and how it is called."""

from __future__ import annotations

import re
from collections.abc import Mapping

CELL_LABEL = "llmload.cell"
"""Label of a run that is one cell of a matrix: the id of the cell."""

_CELL_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+,=-]{0,199}", re.ASCII)


def cell_of(labels: Mapping[str, str]) -> str:
    """The cell of its matrix that a run is; "" for one of no matrix, and where the label is none that we wrote."""
    cell = labels.get(CELL_LABEL, "")
    return cell if _CELL_ID.fullmatch(cell) else ""


def title_of(scenario: str, labels: Mapping[str, str]) -> str:
    """The scenario for people, with its cell where it has one: `chat [max_num_seqs=64]`."""
    cell = cell_of(labels)
    return f"{scenario} [{cell}]" if cell else scenario
