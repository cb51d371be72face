"""What goes wrong with one report takes neither the others nor the old ones with it."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from llmload.cli.report_files import Rendered, put, render, tell_troubles, write_reports
from llmload.domain import RunResult
from llmload.errors import Interrupted, ReportError, StoreError
from llmload.reporters.charts import NAMES, run_charts
from llmload.reporters.texts import Language, texts_in
from tests.recorded_runs import CLEAN, TROUBLE

ENGLISH = texts_in(Language.EN)


class PanicException(BaseException):
    """What a panic in Rust becomes: no Exception."""


def _failing(error: BaseException) -> Callable[[], Mapping[str, bytes]]:
    def fail() -> Mapping[str, bytes]:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "said"),
    [
        pytest.param(KeyError("p50"), r"KeyError: 'p50'\). Please report it", id="a defect"),
        pytest.param(PanicException("at vl.rs:7"), r"PanicException: at vl.rs:7\). Please report it", id="a panic"),
        pytest.param(ImportError("No module named 'openpyxl'"), "Install llmload again", id="a missing library"),
        pytest.param(MemoryError(), "MemoryError", id="no memory"),
    ],
)
def test_a_report_that_cannot_be_made_leaves_the_others(
    tmp_path: Path, error: BaseException, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = {"html": _failing(error), "junit": lambda: {"junit.xml": b"<testsuites/>"}}
    written = put(render(jobs), tmp_path / "chat", "llmload report latest")
    assert [path.read_bytes() for path in written.files] == [b"<testsuites/>"]
    assert (written.exit_codes, [type(each) for each in written.troubles]) == ((70,), [ReportError])
    with pytest.raises(ReportError, match=f"--format html: the report could not be made .*{said}"):
        raise written.troubles[0]
    tell_troubles(written)
    assert "in fail" in capsys.readouterr().err, "where the defect is"


@pytest.mark.parametrize(
    "stop", [KeyboardInterrupt(), Interrupted("run", "stopped", "Resume")], ids=["Ctrl-C", "Ctrl-C again under load"]
)
def test_being_stopped_is_no_defect_and_writes_nothing(tmp_path: Path, stop: BaseException) -> None:
    (tmp_path / "result.json").write_bytes(b"old")
    jobs = {"json": lambda: {"result.json": b"new"}, "html": _failing(stop)}
    with pytest.raises(type(stop)):
        put(render(jobs), tmp_path, "llmload report latest")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_ctrl_c_in_the_midst_of_a_report_stops_it(tmp_path: Path) -> None:
    def slow() -> Mapping[str, bytes]:
        os.kill(os.getpid(), signal.SIGINT)
        threading.Event().wait(30)
        return {"report.html": b"new"}

    with _heard(), pytest.raises(KeyboardInterrupt):
        put(render({"html": slow}), tmp_path / "chat", "llmload report latest")
    assert list(tmp_path.iterdir()) == []


@contextmanager
def _heard() -> Iterator[None]:
    """Ctrl-C is heard, also where the tests run in the background of a shell, which lets its jobs ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _largest_file(size: int) -> Iterator[None]:
    """No file of this process may grow beyond so many bytes, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_every_old_file_as_it_was(tmp_path: Path) -> None:
    before = write_reports(CLEAN, tmp_path, ("csv", "json"), ENGLISH)
    old = [path.read_bytes() for path in before.files]
    with _largest_file(2_000):  # steps.csv fits, result.json does not
        written = write_reports(TROUBLE, tmp_path, ("csv", "json"), ENGLISH)
    assert (written.files, written.exit_codes) == ((), (5,))
    with pytest.raises(StoreError, match=f"File too large.*llmload report {TROUBLE.header.run_id}"):
        raise written.troubles[0]
    assert [path.read_bytes() for path in before.files] == old
    assert sorted(tmp_path.iterdir()) == sorted(before.files), "nothing half is left over"


def test_what_a_killed_writer_left_half_written_goes_with_the_next_report(tmp_path: Path) -> None:
    killed = "import os, sys\nfrom pathlib import Path\nfrom llmload.store import replacing\n"
    killed += "replacing.Path.replace = lambda *_: os.kill(os.getpid(), 9)\n"
    killed += "replacing.replace_together(Path(sys.argv[1]), {'result.json': b'half'})"
    assert subprocess.run([sys.executable, "-c", killed, str(tmp_path)], check=False).returncode == -signal.SIGKILL
    (half,) = tmp_path.iterdir()
    mine = tmp_path / ".result.json.swp"
    mine.write_text("of my editor")
    written = put(Rendered({"result.json": b"{}"}, ()), tmp_path, "llmload report latest")
    assert sorted(tmp_path.iterdir()) == sorted([mine, *written.files])
    assert half not in tmp_path.iterdir()


def test_a_directory_in_the_place_of_a_report_leaves_the_other_reports_as_they_were(tmp_path: Path) -> None:
    (tmp_path / "steps.csv").write_text("old")
    (tmp_path / "result.json").mkdir()
    written = put(Rendered({"steps.csv": b"new", "result.json": b"{}"}, ()), tmp_path, "llmload report latest")
    assert "(Is a directory: result.json)" in str(written.troubles[0])
    assert {path.name for path in tmp_path.iterdir()} == {"steps.csv", "result.json"}
    assert (tmp_path / "steps.csv").read_text() == "old"


def test_reports_are_as_private_as_the_umask_asks(tmp_path: Path) -> None:
    former = os.umask(0o077)
    try:
        (report,) = put(Rendered({"result.json": b"{}"}, ()), tmp_path, "llmload report latest").files
    finally:
        os.umask(former)
    assert report.stat().st_mode & 0o777 == 0o600


def test_pictures_of_an_earlier_run_go_when_its_report_does(tmp_path: Path) -> None:
    mine = ("report-mine.svg", "other.svg", "report-gpu.svg.bak")
    for name in ("report-gpu.svg", "report-capacity.svg", *mine):
        (tmp_path / name).write_text("<svg/>")
    put(Rendered({"result.json": b"{}"}, ()), tmp_path, "llmload report latest")
    assert (tmp_path / "report-gpu.svg").exists(), "the report.md that shows it is still there"
    put(Rendered({"report.md": b"new", "report-gpu.svg": b"new"}, ()), tmp_path, "llmload report latest")
    assert {path.name for path in tmp_path.iterdir()} == {"result.json", "report.md", "report-gpu.svg", *mine}


def test_a_comparison_without_a_chart_leaves_no_picture_of_the_one_before(tmp_path: Path) -> None:
    (tmp_path / "comparison.svg").write_text("<svg/>")
    put(Rendered({"comparison.json": b"{}"}, ()), tmp_path, "llmload report a b")
    assert (tmp_path / "comparison.svg").exists(), "the comparison.md that shows it is still there"
    put(Rendered({"comparison.md": b"new"}, ()), tmp_path, "llmload report a b")
    assert {path.name for path in tmp_path.iterdir()} == {"comparison.json", "comparison.md"}


@pytest.mark.parametrize("run", [pytest.param(CLEAN, id="clean"), pytest.param(TROUBLE, id="full of trouble")])
def test_every_picture_has_a_name_that_is_known(run: RunResult) -> None:
    assert {chart.name for chart in run_charts(run, ENGLISH)} <= set(NAMES)


def test_a_file_where_the_directory_should_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "chat").write_text("mine")
    written = write_reports(CLEAN, tmp_path / "chat", ("json",), ENGLISH)
    assert written.exit_codes == (5,)
    assert (tmp_path / "chat").read_text() == "mine"


def test_two_at_once_never_mix_their_files(tmp_path: Path) -> None:
    sets = [Rendered({name: bytes([who]) * 100_000 for name in ("a", "b", "c")}, ()) for who in range(8)]

    def write(rendered: Rendered) -> None:
        for _ in range(10):
            put(rendered, tmp_path, "llmload report latest")

    writers = [threading.Thread(target=write, args=[each]) for each in sets]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    found = {name: (tmp_path / name).read_bytes() for name in ("a", "b", "c")}
    assert found in [each.files for each in sets]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c"]
