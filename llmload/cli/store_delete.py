"""`llmload store delete` and `llmload store prune`: runs are removed for good."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmload.cli import options
from llmload.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmload.store.removal import Candidate, Choice, Removed, Wanted

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask; needed where there is no terminal to ask on.")]
_Json = Annotated[bool, typer.Option("--json", help="Print one object and nothing else.")]

_MOST_LISTED = 20


def delete(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Ids of runs, or the beginnings of ids.")],
    store: options.Store = options.DEFAULT_STORE,
    yes: Yes = False,
    json: _Json = False,
) -> None:
    """Remove runs for good, with all that is theirs.

    Their requests, results and verdicts go. A run that a process still works on is refused. The file keeps its
    size: new runs use what comes free.

    Example: llmload store delete 20261121-0143
    """
    from llmload.store.removal import named, remove

    found = named(store, runs)
    if not json:
        _list(found, "to remove")
    _make_sure(found, yes)
    _tell(remove(store, [each.run_id for each in found]), json)


def prune(
    store: options.Store = options.DEFAULT_STORE,
    keep: Annotated[int | None, typer.Option(min=1, help="Keep the newest so many of each scenario.")] = None,
    older_than: Annotated[
        str | None, typer.Option(metavar="90d", help="Only runs begun before so many d or h.")
    ] = None,
    status: Annotated[str | None, typer.Option(metavar="aborted,failed", help="Only runs that ended so.")] = None,
    reports: Annotated[Path, typer.Option(help="Folder of reports; runs of its baselines stay.")] = Path("reports"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be removed, and change nothing.")] = False,
    vacuum: Annotated[
        bool, typer.Option("--vacuum", help="Write the file anew, without what is unused in it.")
    ] = False,
    yes: Yes = False,
    json: _Json = False,
) -> None:
    """Remove old, broken or surplus runs for good.

    Runs that meet every condition named go. Runs that go on stay, and those that a baseline file under --reports names.

    Example: llmload store prune --keep 50 --older-than 90d --vacuum
    """
    from llmload.store import removal

    wanted = _wanted(keep, older_than, status)
    if wanted is None and not vacuum:
        raise UsageError("store prune", "no condition says which runs", "Add --keep, --older-than or --status")
    choice = removal.Choice((), (), ())
    if wanted is not None:
        choice = removal.chosen(store, wanted, removal.runs_in_baselines(reports))
    if not json:
        _list(choice.remove, "would be removed" if dry_run else "to remove")
        _list_kept(choice)
    if not dry_run:
        _remove(store, choice, vacuum, yes, json)
    elif json:
        _print_json(choice.remove, None)


def _remove(store: Path, choice: Choice, vacuum: bool, yes: bool, json: bool) -> None:
    from llmload.store import removal

    if choice.remove:
        _make_sure(choice.remove, yes)
    removed = removal.remove(store, [each.run_id for each in choice.remove])
    if vacuum:
        _tell_vacuum(removed, removal.vacuum(store), json)
    else:
        _tell(removed, json)


def _wanted(keep: int | None, older_than: str | None, status: str | None) -> Wanted | None:
    """None where no condition is named."""
    from llmload.domain import IMPORTED
    from llmload.store.removal import Wanted

    statuses = None
    if status is not None:
        known = ("finished", "failed", "interrupted", "aborted", IMPORTED)
        statuses = frozenset(part.strip() for part in status.split(","))
        if wrong := statuses - set(known):
            raise UsageError(f"--status {min(wrong)!r}", "is no way to end", f"Choose of: {', '.join(known)}")
    if keep is None and older_than is None and statuses is None:
        return None
    return Wanted(keep, None if older_than is None else _before(older_than), statuses)


def _before(age: str) -> str:
    """The instant so long ago, as runs have theirs."""
    from datetime import UTC, datetime, timedelta

    match = re.fullmatch(r"(\d{1,5})(d|h)", age, re.ASCII)
    if match is None:
        raise UsageError(f"--older-than {age!r}", "is no age", "Write days or hours, like 90d or 12h")
    count = int(match[1])
    then = datetime.now(UTC) - (timedelta(days=count) if match[2] == "d" else timedelta(hours=count))
    return then.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _make_sure(found: Sequence[Candidate], yes: bool) -> None:
    """Ask where somebody can answer; UsageError where nobody can and `--yes` is missing."""
    from llmload.analysis.wording import counted

    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(counted(len(found), "run"), "would be removed for good", "Add --yes")
    if not typer.confirm(f"Remove {counted(len(found), 'run')} for good?", err=True):
        print("Nothing was removed.", file=sys.stderr)
        raise typer.Exit(2)


def _list(found: Sequence[Candidate], word: str) -> None:
    from llmload.analysis.wording import counted
    from llmload.plain_text import plain

    for each in found[:_MOST_LISTED]:
        ending = each.verdict or each.status
        words = f"{each.run_id}  {each.scenario}  {each.created}  {ending}  {counted(each.requests, 'request')}"
        print(f"{word}: {plain(words)}")
    if len(found) > _MOST_LISTED:
        print(f"{word}: {len(found) - _MOST_LISTED:,} more")


def _list_kept(choice: Choice) -> None:
    from llmload.analysis.wording import counted
    from llmload.plain_text import plain

    if not choice.remove:
        print("No run is to be removed.")
    for run_ids, why in ((choice.in_baselines, "in a baseline"), (choice.going_on, "going on")):
        if run_ids:
            some = ", ".join(run_ids[:5]) + (", ..." if len(run_ids) > 5 else "")
            stay = "stays" if len(run_ids) == 1 else "stay"
            print(plain(f"{counted(len(run_ids), 'run')} {stay}, {why}: {some}"))


def _tell(removed: Removed, json: bool) -> None:
    if json:
        _print_json((), removed)
        return
    from llmload.analysis.wording import counted

    print(f"{counted(len(removed.run_ids), 'run')} removed.", end="")
    print(f" {_size(removed.free_bytes)} of {_size(removed.file_bytes)} lie unused in the file", end="")
    print(": new runs use them; `llmload store prune --vacuum` gives them back to the disk.")


def _tell_vacuum(removed: Removed, after: Removed, json: bool) -> None:
    from dataclasses import replace

    if json:
        _print_json((), replace(after, run_ids=removed.run_ids))
        return
    from llmload.analysis.wording import counted

    if removed.run_ids:
        print(f"{counted(len(removed.run_ids), 'run')} removed. ", end="")
    print(f"The file has {_size(after.file_bytes)}; it had {_size(removed.file_bytes)}.")


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"


def _print_json(found: Sequence[Candidate], removed: Removed | None) -> None:
    import json
    from dataclasses import asdict

    if removed is None:
        document: dict[str, object] = {"would_remove": [asdict(each) for each in found]}
    else:
        document = {
            "removed": removed.run_ids,
            "free_bytes": removed.free_bytes,
            "file_bytes": removed.file_bytes,
        }
    print(json.dumps(document, indent=2))
