"""An outcome as a folder: `outcome.json` and, beside it, the result document of each run in `results/`.

schemas/outcome-v1.schema.json describes outcome.json. A folder may come from a stranger's job (a pull request from a
fork): it is read in bounds and strictly, and nothing in it names a file outside of itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from llmload.outcome import Outcome

DOCUMENT = "outcome.json"
API_VERSION = "llmload/outcome/v1"


def put_outcome(folder: Path, outcome: Outcome) -> None:
    """Write an outcome in place of the one that lay there; StoreError where the disk says no."""
    raise NotImplementedError


def read_all(paths: Sequence[Path]) -> Outcome:
    """Outcomes and result.json files as one outcome, in the order in which they are named."""
    raise NotImplementedError
