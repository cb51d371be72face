"""One comment of ours in a pull request, rewritten in place: found by a hidden marker in its first line.

Anyone can write that marker into a comment of theirs, and GITHUB_TOKEN with `pull-requests: write` can edit anybody's
comment. So only comments of the account that our token writes as count, and of those the oldest; others are never
touched. Another workflow that writes as the same account (such as github-actions[bot]) takes another key.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import orjson

from llmload.analysis.conclusions import comparison_of, conclusion_of
from llmload.ci.github_api import GithubApi
from llmload.ci.github_resources import (
    Account,
    Comment,
    acting_account,
    add_comment,
    comments_of,
    remove_comment,
    rewrite_comment,
)
from llmload.domain import RunResult
from llmload.errors import Problem, UsageError
from llmload.outcome import Command, Entry, Outcome
from llmload.plain_text import plain
from llmload.reporters.comment import Rewriting

_KEY = re.compile(r"[A-Za-z0-9._-]{1,64}")
_MARKER = re.compile(r"<!-- llmload:comment key=([A-Za-z0-9._-]{1,64}) digest=([0-9a-f]{64}) -->[ \t]*(?:\r?\n|\Z)")
_FIGURE = re.compile(r"\S*[0-9]\S*")  # a number with its unit, an address, the id of a run


class Done(StrEnum):
    """What became of a comment."""

    POSTED = "posted"
    REWRITTEN = "rewritten"
    LEFT = "left as it is"


@dataclass(frozen=True, slots=True)
class Sticky:
    """A comment to be: which one of ours it is, what it concludes, and its text without the marker."""

    key: str
    digest: str
    text: str

    @property
    def body(self) -> str:
        """The whole comment."""
        return f"<!-- llmload:comment key={self.key} digest={self.digest} -->\n{self.text}"


def sticky(key: str, outcome: Outcome, text: str) -> Sticky:
    """The comment of this outcome under this key; UsageError for a key that is none."""
    return Sticky(checked_key(key), digest_of(outcome), text)


def checked_key(key: str) -> str:
    """The key, where it is one; UsageError else."""
    if not _KEY.fullmatch(key):
        remedy = "Use up to 64 letters, digits, dots, underscores and hyphens"
        raise UsageError("--key", f"{plain(key, 80)!r} is no key of a comment", remedy)
    return key


def settle(api: GithubApi, repository: str, number: int, wanted: Sticky, rewriting: Rewriting) -> tuple[Done, str]:
    """Post the comment, or rewrite the one that is there where it has to be; what was done, and the comment's page.

    Of jobs that post at once, the one whose comment is the oldest was first. The others take theirs back, which nobody
    would ever rewrite.
    """
    account = acting_account(api)

    def standing() -> Comment | None:
        return _oldest(comments_of(api, repository, number), account, wanted.key)

    found = standing()
    if found is None:
        posted = add_comment(api, repository, number, wanted.body, standing)
        found = standing() or posted
        if found.number == posted.number:
            return Done.POSTED, posted.url
        remove_comment(api, repository, posted)
    if rewriting == "on-change" and _digest_in(found.body) == wanted.digest:
        return Done.LEFT, found.url
    return Done.REWRITTEN, rewrite_comment(api, repository, found, wanted.body).url


def _oldest(comments: Iterator[Comment], account: Account, key: str) -> Comment | None:
    """GitHub lists the oldest first."""
    for comment in comments:
        marked = _MARKER.match(comment.body)
        is_ours = comment.author is not None and comment.author.is_same(account)
        if marked is not None and marked[1] == key and is_ours:
            return comment
    return None


def _digest_in(body: str) -> str:
    marked = _MARKER.match(body)
    return "" if marked is None else marked[2]


# ---------------------------------------------------------------- what a comment concludes


def digest_of(outcome: Outcome) -> str:
    """A fingerprint of what an outcome concludes: verdicts, exit codes and problems, without figures that always vary.

    The order of the entries matters to a comparison alone.
    """
    entries = [_of_entry(entry) for entry in outcome.entries]
    concluded: list[object] = [outcome.command.value, outcome.exit_code, conclusion_of(outcome).value]
    if outcome.command is Command.COMPARE:
        concluded += [entries, _of_comparison(outcome)]
    else:
        concluded.append(sorted(entries, key=orjson.dumps))
    return hashlib.sha256(orjson.dumps(concluded)).hexdigest()


def _of_entry(entry: Entry) -> list[object]:
    result = None if entry.result is None else _of_run(entry.result)
    return [
        _text(entry.source),
        entry.exit_code,
        _text(_FIGURE.sub("#", entry.message)),
        _of_problems(entry.problems),
        result,
    ]


def _of_run(run: RunResult) -> list[object]:
    verdicts = [
        [_text(part) for part in (verdict.step, str(verdict.gate), verdict.gate.level, verdict.status, verdict.kind)]
        for verdict in run.verdicts
    ]
    fatal = [
        [_text(place), _text(caveat.rule)]
        for place, caveats in (("", run.caveats), *((step.step.label, step.caveats) for step in run.steps))
        for caveat in caveats
        if caveat.is_fatal
    ]
    return [_text(run.header.title), run.status.value, verdicts, fatal]


def _of_problems(problems: Sequence[Problem]) -> list[object]:
    return [[_text(each.file), each.line, each.column, _text(each.path), _text(each.message)] for each in problems]


def _of_comparison(outcome: Outcome) -> list[object]:
    comparison = comparison_of(outcome)
    if comparison is None:
        return []
    rows = [[_text(row.step.label), row.figure, [cell.contrast.value for cell in row.cells]] for row in comparison.rows]
    return [rows, [[each.run, _text(each.step), each.is_spoilt] for each in comparison.absences]]


def _text(text: str) -> str:
    """Text that JSON can carry: a file's name may hold bytes that are no text."""
    return text.encode("utf-8", "backslashreplace").decode()
