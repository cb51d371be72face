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
from llmload.cli.written import Screen, print_told, worth_of
from llmload.domain import RunResult
from llmload.endpoint import Endpoint
from llmload.errors import LlmloadError, TargetError
from llmload.plain_text import plain
from llmload.scenario.loader import load_resolved
from llmload.scenario.secrets import Scrubber, names_secret, scrub_url, secrets_of
from llmload.store.analyses import keep_analysis
from llmload.store.database import open_existing
from llmload.target.analyst import Limits, choose_writer, write
from llmload.written_analysis import Close, WrittenAnalysis

_SHORTEST_SECRET = 8


@dataclass(frozen=True, slots=True)
class Kept:
    """What is in the store now, and why it is not whole where it broke off."""

    analysis: WrittenAnalysis
    because: str


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
                    self._keep(self._analysis(endpoint, model, "".join(pieces), Close.BROKEN_OFF))
                raise
            finally:
                if screen is not None:
                    screen.end()
            if written.prompt:
                _note("its context has no room for the whole result: the less important parts were left out")
            kept = Kept(self._analysis(endpoint, model, "".join(pieces), written.close), written.because)
            try:
                self._keep(kept.analysis)
            except LlmloadError:  # such as a store that cannot be written: what nobody saw yet is shown
                if screen is None:
                    self.print_json(kept)
                raise
            return kept

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

    def _analysis(self, endpoint: Endpoint, model: str, text: str, close: Close) -> WrittenAnalysis:
        return WrittenAnalysis(
            model=plain(model),
            server=_name(endpoint),
            created=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            language=self.language,
            text=text.rstrip(),
            close=close,
            unknown_figures=unknown_figures(text, briefing_of(self.result, self.language).figures),
        )

    def _keep(self, analysis: WrittenAnalysis) -> None:
        """UsageError: the run was deleted meanwhile."""
        with open_existing(self.store) as opened:
            keep_analysis(opened, opened.find(self.result.header.run_id), analysis)

    def print_json(self, kept: Kept) -> None:
        """The analysis as one document, and nothing else."""
        document = {"run_id": self.result.header.run_id, **asdict(kept.analysis)}
        stored.print_bytes(json.dumps(document, ensure_ascii=False, indent=2, sort_keys=True).encode() + b"\n")

    def print_facts(self, kept: Kept) -> None:
        """Who wrote it and when, which figures nobody measured, and where it is kept."""
        run_id = self.result.header.run_id
        lines = (
            *worth_of(kept.analysis),
            f"Stored in {plain(str(self.store))}: `llmload show {run_id}` tells it again",
        )
        print_told("".join(f"{line}\n" for line in lines))

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
