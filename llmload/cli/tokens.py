"""`llmload tokens`: the vocabularies that count tokens on this machine, and how well they count."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmload.cli import options
from llmload.cli.stored import Run
from llmload.errors import UsageError

if TYPE_CHECKING:
    from llmload.workload.token_accuracy import TokenAccuracy
    from llmload.workload.tokens import TokenCounter

tokens = typer.Typer(
    name="tokens",
    help="Vocabularies that count tokens on this machine.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_USUAL = ("cl100k_base", "o200k_base")


@tokens.command()
def fetch(
    encodings: Annotated[
        list[str] | None, typer.Argument(metavar="[ENCODING...]", help="Else cl100k_base and o200k_base.")
    ] = None,
    timeout: Annotated[str, typer.Option("--timeout", help="Longest wait for each file.")] = "30s",
    cache: Annotated[
        Path | None, typer.Option("--cache", help="Folder to put them in; else where they are looked for.")
    ] = None,
    mirror: Annotated[
        str | None, typer.Option("--from", metavar="URL", help="A folder of the web with the same files.")
    ] = None,
) -> None:
    """Fetch vocabularies of tiktoken, so that tokens can be counted where a server does not tell them.

    Nothing is downloaded at any other time. A file is kept only if it is the one that tiktoken expects. Exit code 5
    where one cannot be had in time.

    Example: llmload tokens fetch o200k_base --timeout 10s
    """
    from llmload.plain_text import plain
    from llmload.target.vocabularies import PUBLISHED
    from llmload.target.vocabularies import fetch as fetch_one
    from llmload.workload.tokens import cache_to_fill

    wanted, timeout_s, directory = _known(encodings or _USUAL), _seconds(timeout), cache or cache_to_fill()
    for encoding in wanted:
        fetched = fetch_one(encoding, directory, base=mirror or PUBLISHED, timeout_s=timeout_s)
        what = "is here already" if fetched.was_here else "is here now"
        print(f"{encoding} {what}: {plain(str(fetched.path))}")
    if cache is not None and not _is_looked_at(directory):
        print(f"llmload: tell tiktoken of it: export TIKTOKEN_CACHE_DIR={plain(str(directory))}", file=sys.stderr)


def _known(encodings: list[str] | tuple[str, ...]) -> list[str]:
    from llmload.scenario.nearest import nearest
    from llmload.workload.tokens import VOCABULARIES

    for encoding in encodings:
        if encoding not in VOCABULARIES:
            raise UsageError(encoding, "is no encoding that llmload counts with", nearest(encoding, set(VOCABULARIES)))
    return list(dict.fromkeys(encodings))


def _seconds(text: str) -> float:
    from llmload.units import parse_duration

    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise UsageError("--timeout", str(error), "Write --timeout 30s") from None
    if not 0 < seconds <= 86_400:
        raise UsageError("--timeout", f"{text} is no time to wait", "Write --timeout 30s")
    return seconds


def _is_looked_at(directory: Path) -> bool:
    from llmload.workload.tokens import cache_directories

    return directory.resolve() in {each.resolve() for each in cache_directories()}


@tokens.command("list")
def list_(
    json: Annotated[bool, typer.Option("--json", help="Print an array and nothing else.")] = False,
) -> None:
    """List the encodings, and the folder of each whose file is on this machine and whole.

    Example: llmload tokens list
    """
    from json import dumps

    from llmload.plain_text import plain
    from llmload.workload.tokens import VOCABULARIES, cache_directories, cache_of

    found = {encoding: cache_of(vocabulary) for encoding, vocabulary in VOCABULARIES.items()}
    if json:
        rows = [{"encoding": name, "folder": str(folder) if folder else None} for name, folder in found.items()]
        print(dumps(rows, indent=2, ensure_ascii=False))
        return
    for name, folder in found.items():
        print(f"{name:<14}{plain(str(folder)) if folder else f'not here: llmload tokens fetch {name}'}")
    print(f"\nFolders, first match wins: {', '.join(plain(str(each)) for each in cache_directories())}")


@tokens.command()
def accuracy(
    run: Run,
    store: options.Store = options.DEFAULT_STORE,
    json: Annotated[bool, typer.Option("--json", help="Print an array and nothing else.")] = False,
) -> None:
    """Hold each way of counting on this machine against what the server told, over the answers whose text is stored.

    A way that this machine does not have is not told: the scenario's tokenizer.json, a vocabulary of tiktoken. Runs
    keep the text of some answers of each window.

    Example: llmload tokens accuracy latest
    """
    from dataclasses import asdict
    from json import dumps

    from llmload.store.database import open_existing
    from llmload.workload.token_accuracy import accuracy_of

    with open_existing(store) as opened:
        stored = opened.load(opened.find(run))
    records = [record for window in stored.observations for record in window.records]
    model = stored.facts.model if stored.facts else ""
    found = accuracy_of(records, _counters(model, stored.header.resolved)) if records else ()
    if json:
        print(dumps([asdict(each) for each in found], indent=2))
        return
    _print(found)


def _counters(model: str, resolved: str) -> tuple[TokenCounter, ...]:
    """Those of this machine; without the scenario's tokenizer where it cannot be read any more, which is told."""
    from llmload.errors import DataFileError
    from llmload.plain_text import plain
    from llmload.scenario.loader import load_resolved
    from llmload.workload.tokens import counters_for

    file = load_resolved(resolved).workload.tokenizer_file
    try:
        return counters_for(model, file)
    except (DataFileError, UsageError) as error:
        print(f"llmload: not told: {plain(str(error))}", file=sys.stderr)
        return counters_for(model, None)


def _print(found: tuple[TokenAccuracy, ...]) -> None:
    from llmload.plain_text import plain

    if not found:
        print("The server told no count of an answer whose text is stored, so nothing can be held against it.")
        return
    print(f"against the server's own count, over {found[0].answers:,} answers:")
    for each in found:
        own = "" if each.is_of_model or each.source == "estimate" else ", not known to be the model's own"
        print(
            f"  {each.source:<10} {plain(each.name)}: {each.mean_error:.1%} off on average, at worst"
            f" {each.worst_error:+.1%}, {each.bias:+.1%} of all tokens{own}"
        )
