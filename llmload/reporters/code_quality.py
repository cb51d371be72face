"""GitLab's code quality report: a list of issues that merge requests show beside the lines they are of.

The format: https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import PurePath

from llmload.outcome import Outcome
from llmload.plain_text import plain
from llmload.reporters.annotations import Locate
from llmload.reporters.issues import Gravity, Issue, issues_of

_SEVERITIES = {
    Gravity.STOPPED: "blocker",
    Gravity.BROKEN: "critical",
    Gravity.UNMEASURED: "major",
    Gravity.OPEN: "major",
    Gravity.UNDECIDED: "minor",
    Gravity.ADVISED: "info",
}
_DESCRIPTION = 1_000  # characters


def render(outcome: Outcome, locate: Locate) -> bytes:
    """The report in JSON; an empty list where nothing is wrong.

    GitLab tells new issues from old ones by their fingerprints. Ours is of the file, the gate and the step, so it
    stays when the gate moves to another line, or fails by other figures.
    """
    seen: Counter[str] = Counter()
    told = []
    for issue in issues_of(outcome):
        path = _path(issue, locate)
        identity = "\0".join((path, issue.scenario, issue.subject, issue.step, *_own(issue)))
        seen[identity] += 1
        told.append(_document(issue, path, f"{identity}\0{seen[identity]}"))
    return (json.dumps(told, indent=2, ensure_ascii=True) + "\n").encode()


def _own(issue: Issue) -> tuple[str, ...]:
    """An issue that is no gate's is known by its kind, a problem of a document by its words too."""
    if issue.step:
        return ()
    return (issue.kind, *(issue.lines if issue.column is not None else ()))


def _document(issue: Issue, path: str, identity: str) -> dict[str, object]:
    at = f" at {issue.step}" if issue.step else ""
    lead = ": ".join(filter(None, (issue.subject, issue.word)))
    return {
        "description": plain(f"{lead}{at}: {' '.join(issue.lines)}", _DESCRIPTION),
        "check_name": plain(f"llmload/{issue.kind}", 100),
        "fingerprint": hashlib.sha256(identity.encode("utf-8", "backslashreplace")).hexdigest(),
        "severity": _SEVERITIES[issue.gravity],
        "location": {"path": path, "lines": {"begin": issue.line or 1}},
    }


def _path(issue: Issue, locate: Locate) -> str:
    """GitLab wants a path for every issue: a file outside of the repository is told by its name alone."""
    found = locate(issue.source) if issue.source else None
    if found and found.isprintable():
        return found
    return plain(PurePath(issue.source).name or PurePath(issue.scenario).name) or "llmload"
