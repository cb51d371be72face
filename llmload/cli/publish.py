"""`llmload publish`: stored runs as a site that needs no server, and as one file for Datasette."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmload.cli import options
from llmload.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmload.site.published_folder import Published
    from llmload.store.database import RunSummary
    from llmload.store.snapshot import Snapshot

DATABASE = "llmload.db"
"""What the snapshot in the folder of a site is called."""


def publish(
    directory: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="Folder of the site: new, empty, or published into before.")
    ] = None,
    snapshot: Annotated[
        Path | None, typer.Option(help="File for `datasette publish` and Datasette Lite; alone or with DIR.")
    ] = None,
    store: options.Store = options.DEFAULT_STORE,
    scenarios: Annotated[
        list[str],
        typer.Option("--scenario", metavar="NAME", help="Only runs of this scenario; several times for more."),
    ] = [],  # noqa: B006 - typer copies it
    runs: Annotated[int | None, typer.Option(min=1, metavar="N", help="Only the newest N of these runs.")] = None,
    excel: Annotated[bool, typer.Option("--excel", help="Add a workbook of each run (0.1 s a run).")] = False,
    no_database: Annotated[bool, typer.Option("--no-database", help=f"Leave {DATABASE} out of DIR.")] = False,
    lang: options.Lang = None,
    json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON and nothing else.")] = False,
) -> None:
    """Write the site of the store as files: for any static host, in any folder, or opened from disk.

    DIR gets the pages that `llmload serve` shows, with downloads and a copy of the store (llmload.db) beside them. What
    is published anew replaces what llmload published there before, and nobody else's files. Runs that still go on are
    left out.

    Example: llmload publish site

    Example: llmload publish site --scenario quickstart --runs 50 --no-database

    Example: llmload publish --snapshot llmload-snapshot.db
    """
    from llmload.reporters.texts import texts_in
    from llmload.store.database import open_existing
    from llmload.store.selection import choose, still_running
    from llmload.store.snapshot import write_snapshot

    if directory is None and snapshot is None:
        raise UsageError("llmload publish", "neither DIR nor --snapshot is named", "Write: llmload publish site")
    texts = texts_in(options.language(lang, os.environ))
    began = time.monotonic()
    with open_existing(store) as opened:
        chosen = choose(opened, scenarios, runs)
        going_on = still_running(opened, scenarios)
    kept = None
    if snapshot is not None:
        kept = write_snapshot(store, snapshot, [run.run_id for run in chosen])
    site = None
    if directory is not None:
        extra = ("xlsx",) if excel else ()
        database = None if no_database else DATABASE
        site = _write_site(directory, store, chosen, _Content(texts, ("csv", "json", "junit", *extra), database))
    told = _Told(chosen, going_on, directory, site, kept, time.monotonic() - began)
    (_print_json if json else _print_text)(told)


if TYPE_CHECKING:
    from llmload.reporters.texts import Texts


@dataclass(frozen=True, slots=True)
class _Content:
    texts: Texts
    forms: tuple[str, ...]
    database: str | None


@dataclass(frozen=True, slots=True)
class _Told:
    runs: Sequence[RunSummary]
    going_on: tuple[str, ...]
    directory: Path | None
    site: Published | None
    snapshot: Snapshot | None
    seconds: float


def _write_site(directory: Path, store: Path, runs: tuple[RunSummary, ...], content: _Content) -> Published:
    from llmload.site.publication import Site, files
    from llmload.site.published_folder import put, stage
    from llmload.store.selection import choose
    from llmload.store.snapshot import open_snapshot, write_snapshot

    run_ids = [run.run_id for run in runs]
    if content.database is not None and (directory / content.database).resolve() == store.resolve():
        problem = "the store lies where its copy would go"
        raise UsageError(str(directory / content.database), problem, "Name another folder, or add --no-database")
    with stage(directory) as staging:
        copy = staging.place(content.database or DATABASE)
        write_snapshot(store, copy, run_ids)
        with open_snapshot(copy) as opened:  # so that all pages are of one instant
            for path, page in files(Site(opened, choose(opened), content.texts, content.forms, content.database)):
                staging.add(path, page)
        if content.database is None:
            copy.unlink()
        else:
            staging.keep(content.database)
        return put(staging)


def _print_text(told: _Told) -> None:
    from llmload.analysis.wording import counted
    from llmload.plain_text import plain

    runs = counted(len(told.runs), "run")
    if told.snapshot is not None:
        print(
            f"{plain(str(told.snapshot.path))}: {counted(told.snapshot.runs, 'run')}, {_size(told.snapshot.size_bytes)}"
        )
    if told.site is not None:
        pages = sum(path.endswith(".html") for path in told.site.files)
        size = _size(sum(told.site.files.values()))
        print(f"{plain(str(told.directory))}/index.html: {runs}, {counted(pages, 'page')}, {size}")
        changed = f"{counted(told.site.changed, 'file')} of {len(told.site.files):,} written"
        print(f"  {changed}, {len(told.site.removed):,} removed, {told.seconds:.1f} s")
    if told.going_on:
        print(f"  left out, since it goes on: {', '.join(map(plain, told.going_on))}")


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:,.1f} MB"


def _print_json(told: _Told) -> None:
    import json

    site, kept = told.site, told.snapshot
    document = {
        "runs": len(told.runs),
        "going_on": told.going_on,
        "seconds": round(told.seconds, 3),
        "site": site
        and {
            "directory": str(told.directory),
            "pages": sum(path.endswith(".html") for path in site.files),
            "files": len(site.files),
            "bytes": sum(site.files.values()),
            "written": site.changed,
            "removed": len(site.removed),
        },
        "snapshot": kept and {"path": str(kept.path), "runs": kept.runs, "bytes": kept.size_bytes},
    }
    print(json.dumps(document, indent=2))
