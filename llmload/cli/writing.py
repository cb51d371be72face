"""One analysis while a model writes it: shown as it comes, and kept whatever ends it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from llmload.analysis.briefing import LONGEST, SHORTER, briefing_of
from llmload.analysis.claimed_figures import unknown_figures
from llmload.cli import stored
from llmload.cli.stopping import StopRequest, listening
from llmload.domain import RunResult
from llmload.endpoint import Endpoint
from llmload.errors import TargetError
from llmload.plain_text import plain
from llmload.scenario.loader import load_resolved
from llmload.scenario.secrets import Scrubber, names_secret, scrub_url, secrets_of
from llmload.store.analyses import keep_analysis
from llmload.store.database import open_existing
from llmload.target.analyst import Limits, choose_writer, write
from llmload.written_analysis import Close, WrittenAnalysis

_SHORTEST_SECRET = 8
_ENDINGS = {
    Close.WHOLE: "",
    Close.AT_LIMIT: "Cut at the longest answer that was allowed (--max-tokens, and 16,000 characters)",
    Close.BROKEN_OFF: "Broken off: the end is missing",
}


@dataclass(frozen=True, slots=True)
class Kept:
    """What is in the store now, and why it is not whole where it broke off."""

    analysis: WrittenAnalysis
    because: str


@dataclass(slots=True)
class Screen:
    """Foreign text on a terminal: quoted line by line, so that none begins like a command of a build log."""

    _is_fresh: bool = True

    def show(self, piece: str) -> None:
        """One piece more, clean already."""
        quoted = piece.replace("\n", "\n> ")
        _print(f"> {quoted}" if self._is_fresh else quoted)
        self._is_fresh = False

    def end(self) -> None:
        """Behind the last piece."""
        if not self._is_fresh:
            _print("\n\n")


@dataclass(frozen=True, slots=True)
class Session:
    """What is asked about one run. `env` holds the keys, none of which is ever told."""

    result: RunResult
    store: Path
    language: str
    env: Mapping[str, str]
    limits: Limits

    def write(self, find: Callable[[], Endpoint], asked_model: str | None, screen: Screen | None) -> Kept:
        """Ask the server that `find` finds, and store what it writes, also where Ctrl-C ends it.

        TargetError: no text came at all. Where it broke off, the result says why.
        """
        pieces: list[str] = []
        with listening() as stop:
            stop.remedy = "Nothing was written yet"
            with stop.interruptible():
                endpoint = find()
                model = self._choose(endpoint, asked_model)
            try:
                with stop.interruptible():
                    written = write(endpoint, self._prompts(), _teller(pieces, stop, screen), self.limits, model)
            except BaseException:
                if pieces:
                    self._keep(endpoint, model, "".join(pieces), Close.BROKEN_OFF)
                raise
            finally:
                if screen is not None:
                    screen.end()
            if written.prompt:
                _note("its context has no room for the whole result: the less important parts were left out")
            return Kept(self._keep(endpoint, model, "".join(pieces), written.close), written.because)

    def _choose(self, endpoint: Endpoint, asked: str | None) -> str:
        usual = None if self.result.target is None else self.result.target.model
        model = choose_writer(endpoint, asked, usual, self.limits).names[0]
        _note(f"{plain(model)} at {_name(endpoint)} is asked about run {self.result.header.run_id}")
        return model

    def _prompts(self) -> list[str]:
        """The briefing, then shorter ones."""
        scrub = Scrubber(self._secrets()).scrub
        limits = (LONGEST, *SHORTER)
        return [briefing_of(self.result, self.language, scrub=scrub, limit=limit).text for limit in limits]

    def _secrets(self) -> set[str]:
        """Everything that might have found its way into a text of the run."""
        found = {value for name, value in self.env.items() if names_secret(name) and len(value) >= _SHORTEST_SECRET}
        if not self.result.is_imported:
            found.update(secrets_of(load_resolved(self.result.header.resolved), self.env))
        return found

    def _keep(self, endpoint: Endpoint, model: str, text: str, close: Close) -> WrittenAnalysis:
        known = briefing_of(self.result, self.language).figures
        analysis = WrittenAnalysis(
            model=plain(model),
            server=_name(endpoint),
            created=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            language=self.language,
            text=text.rstrip(),
            close=close,
            unknown_figures=unknown_figures(text, known),
        )
        with open_existing(self.store) as opened:
            run_id = self.result.header.run_id
            opened.find(run_id)  # it may have been deleted meanwhile
            keep_analysis(opened, run_id, analysis)
        return analysis

    def print_json(self, kept: Kept) -> None:
        """The analysis as one document, and nothing else."""
        document = {"run_id": self.result.header.run_id, **asdict(kept.analysis)}
        stored.print_bytes(json.dumps(document, ensure_ascii=False, indent=2, sort_keys=True).encode() + b"\n")

    def print_facts(self, kept: Kept) -> None:
        """Who wrote it and when, which figures nobody measured, and where it is kept."""
        told, run_id = kept.analysis, self.result.header.run_id
        unknown = ", ".join(told.unknown_figures)
        lines = (
            f"Written by {told.model} at {told.server} on {told.created[:16].replace('T', ' ')} UTC",
            _ENDINGS[told.close],
            f"Not in the result: {unknown}" if unknown else "Every figure in it is in the result",
            f"Stored in {plain(str(self.store))}: `llmload show {run_id}` tells it again",
        )
        _print("".join(f"{line}\n" for line in lines if line))

    def raise_broken(self, kept: Kept) -> None:
        """TargetError where the answer has no end."""
        if kept.analysis.close is Close.BROKEN_OFF:
            problem = f"the answer broke off: {kept.because}"
            raise TargetError(
                kept.analysis.server, problem, "What came is stored with the run; ask again for a whole one"
            )


def _teller(pieces: list[str], stop: StopRequest, screen: Screen | None) -> Callable[[str], None]:
    """Keeps each piece, then shows it."""

    def tell(piece: str) -> None:
        pieces.append(piece)
        stop.remedy = "What was written until then is stored with the run"
        if screen is not None:
            screen.show(piece)

    return tell


def _name(endpoint: Endpoint) -> str:
    return plain(scrub_url(endpoint.url))


def _note(text: str) -> None:
    print(f"llmload: {text}", file=sys.stderr, flush=True)


def _print(text: str) -> None:
    """As far as the terminal can write it."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    stored.print_text(text.encode(encoding, "replace").decode(encoding))
