"""The error tree. An exception means that *we* cannot go on; a failed request is a record, never one of these.

    LlmloadError            70  a defect of ours
    ├── ReportError         70  one report could not be made; the run and its other reports are whole
    ├── UsageError           2  the command line
    ├── ScenarioError        2  the scenario document (one or many located problems)
    ├── DataFileError        2  a file that a scenario names
    ├── TargetError          5  the server under test cannot be used
    ├── ClientError          5  our own machine cannot send what is asked
    ├── ClusterError         5  the Ray cluster that is to carry the load cannot be used
    ├── StoreError           5  the SQLite store cannot be read or written
    ├── ForgeError           5  GitHub cannot be reached, or refuses what it is asked
    ├── DownloadError        5  a file that a person asked for cannot be fetched
    ├── Interrupted        130  Ctrl-C
    └── Terminated         143  SIGTERM

Every error says where, what is wrong and what to do; the class knows the exit code (METRICS: "Verdict and exit code").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class LlmloadError(Exception):
    """A defect of ours; the subclasses are for what others can mend."""

    exit_code = 70

    def __init__(self, where: str, problem: str, remedy: str) -> None:
        super().__init__(f"{where}: {problem}. {remedy}")
        self.where, self.problem, self.remedy = where, problem, remedy


class ReportError(LlmloadError):
    """A report could not be made, for a defect of ours or a missing library; it says nothing about the server."""


class UsageError(LlmloadError):
    """The command line asks for something impossible."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a document, and where its author finds it (1-based line and column)."""

    file: str
    line: int
    column: int
    path: str
    message: str
    hint: str
    source_line: str = ""

    def __str__(self) -> str:
        name = self.file if self.file.isprintable() else repr(self.file)  # one line, whatever a file is called
        at = f"{name}:{self.line}:{self.column}: {self.path}: {self.message}. {self.hint}"
        if not self.source_line:
            return at
        return f"{at}\n  {self.source_line}\n  {' ' * (self.column - 1)}^"


class ScenarioError(LlmloadError):
    """The scenario file asks for something we cannot run; carries every problem found, in file order."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        first = problems[0]
        super().__init__(f"{first.file}:{first.line}:{first.column}: {first.path}", first.message, first.hint)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class DataFileError(LlmloadError):
    """A file that a scenario names cannot be used; where a row is bad, `where` is file:line and `more` the others."""

    exit_code = 2

    def __init__(self, where: str, problem: str, remedy: str, more: Sequence[str] = ()) -> None:
        super().__init__(where, problem, remedy)
        self.more = tuple(more)

    def __str__(self) -> str:
        return "\n".join((super().__str__(), *self.more))


class TargetError(LlmloadError):
    """The server under test cannot be reached, is not ready, or does not serve the model.

    `kind` is the JUnit error type, such as ServerNotReady or ModelNotServed.
    """

    exit_code = 5

    def __init__(self, where: str, problem: str, remedy: str, *, kind: str = "ServerNotReady") -> None:
        super().__init__(where, problem, remedy)
        self.kind = kind


class ClientError(LlmloadError):
    """Our own machine does not allow the load that the scenario asks for."""

    exit_code = 5


class ClusterError(LlmloadError):
    """The Ray cluster cannot be reached, has no room or lost a node: nothing could be measured."""

    exit_code = 5


class StoreError(LlmloadError):
    """The SQLite store cannot be opened, read or written."""

    exit_code = 5


class ForgeError(LlmloadError):
    """GitHub cannot be reached, or refuses what it is asked; says nothing about the server under test.

    `status` is that of the answer, such as 403; None where there was none.
    """

    exit_code = 5

    def __init__(self, where: str, problem: str, remedy: str, *, status: int | None = None) -> None:
        super().__init__(where, problem, remedy)
        self.status = status


class DownloadError(LlmloadError):
    """A file that a person asked for cannot be fetched, or is another one; says nothing about the server under test."""

    exit_code = 5


class Interrupted(LlmloadError):  # noqa: N818 - a request to stop, not a fault
    """The user pressed Ctrl-C; what was measured is stored."""

    exit_code = 130


class Terminated(LlmloadError):  # noqa: N818
    """SIGTERM; what was measured is stored."""

    exit_code = 143
