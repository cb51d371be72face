"""Server-sent events of a run in progress: what is told, when, and how a stream ends."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from llmload.domain import Phase
from llmload.errors import StoreError
from llmload.progress import Progress
from llmload.reporters.texts import Language, texts_in
from llmload.samples import GpuNow
from llmload.site.live import HEARTBEAT_POLLS, LONGEST_POLLS, Exchange, Message, Source, Streams, events
from llmload.store.database import open_store
from llmload.store.states import RunState
from tests.cli.stored_runs import scenario_of
from tests.recorded_foreign import HOSTILE
from tests.recorded_runs import CLEAN
from tests.site.asked import ask
from tests.site.stores import FAILED, RUNNING
from tests.store.observations import GPUS_NOW

TEXTS = texts_in(Language.EN)
NOW = Progress("concurrency 8", Phase.MEASURED, 40, 200, 8, 812.3, 31.2, 88.1, 0.9612, 5.0)
GOING = RunState(CLEAN.header, None, "running", None, None, None, 0, 0, 0, at_s=1772360000.0, seen_s=1.5, progress=NOW)
LATER = replace(GOING, progress=replace(NOW, done=50), seen_s=1.75)
MEASURED = replace(LATER, measured=1, attempts=200)
ENDED = replace(GOING, status="finished", progress=None, seen_s=None)


async def _steps() -> tuple[()]:
    return ()


async def _at_once() -> bool:
    return True


def source_of(*states: RunState | StoreError | None) -> Source:
    """A store that stands so at each look, and then as at the last one."""
    left = list(states)

    async def read() -> RunState | None:
        state = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(state, StoreError):
            raise state
        return state

    return Source(read, _steps, TEXTS)


def told(source: Source, goes_on: Callable[[], Awaitable[bool]] = _at_once, most: int = 10_000) -> list[str]:
    """The blocks of a stream."""

    async def collect() -> list[str]:
        blocks: list[str] = []
        async for block in events(source, goes_on):
            blocks += [part for part in block.decode().split("\n\n") if part]
            if len(blocks) >= most:
                break
        return blocks

    return asyncio.run(collect())


def names(blocks: list[str]) -> list[str]:
    return [line.removeprefix("event: ") for block in blocks for line in block.splitlines() if line[:6] == "event:"]


def test_a_stream_begins_with_all_there_is_and_says_when_to_come_back() -> None:
    blocks = told(source_of(GOING, ENDED))
    assert blocks[0] == "retry: 1000"
    assert names(blocks) == ["state", "steps", "progress", "state", "finished"]
    assert "id: 1500" in blocks[3]


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        pytest.param((GOING, GOING, LATER), ["progress"], id="progress only where something moved"),
        pytest.param((GOING, MEASURED), ["steps", "progress"], id="steps where one got figures"),
        pytest.param((GOING, replace(GOING, status="aborted")), ["state", "finished"], id="a process that died"),
        pytest.param((GOING, None), ["finished"], id="a run that was deleted"),
    ],
)
def test_only_what_changed_is_told(states: tuple[RunState | None, ...], expected: list[str]) -> None:
    end = () if states[-1] is None or not states[-1].is_running else (ENDED,)
    blocks = names(told(source_of(*states, *end)))[3:]
    assert blocks == [*expected, *(["state", "finished"] if end else [])]


def test_a_run_that_has_ended_is_told_so_at_once_and_nothing_else() -> None:
    blocks = told(source_of(ENDED))
    assert names(blocks) == ["finished"]
    assert json.loads(blocks[1].partition("data: ")[2]) == {"status": "finished"}


def test_progress_has_figures_for_programs_and_words_for_people() -> None:
    progress = json.loads(told(source_of(GOING, ENDED))[3].partition("data: ")[2])
    assert progress["progress"]["done"] == 40
    assert progress["told"]["done"] == "40 / 200"
    assert progress["told"]["percent"] == "20"
    assert progress["told"]["left"] == "20 s"
    assert progress["told"]["ttft_p95"] == "88.1 ms"
    assert "96.12%" in progress["spoken"]


def test_what_is_not_known_is_no_zero() -> None:
    blank = replace(NOW, planned=0, ttft_p50_ms=None, goodput=None)
    progress = json.loads(told(source_of(replace(GOING, progress=blank), ENDED))[3].partition("data: ")[2])
    assert [progress["told"][name] for name in ("percent", "left", "ttft_p50", "goodput")] == ["", "n/a", "n/a", "n/a"]


SEARCH = scenario_of(load="[1, 4]", more="  recommend: {peak_concurrency: 50}\n")


@pytest.mark.parametrize(
    ("label", "words"),
    [
        pytest.param("concurrency 4", "Step 2 of 2: concurrency 4", id="a load of the ladder"),
        pytest.param("concurrency 11", "Searching for the capacity: concurrency 11", id="one that the search chose"),
    ],
)
def test_a_step_is_placed_in_the_ladder_or_told_to_be_beyond_it(label: str, words: str) -> None:
    header = replace(CLEAN.header, resolved=SEARCH.document.resolved)
    going = replace(GOING, header=header, progress=replace(NOW, step=label))
    progress = json.loads(told(source_of(going, ENDED))[3].partition("data: ")[2])
    assert progress["told"]["step"] == words


def test_each_gpu_is_told_for_programs_and_for_people() -> None:
    watched = replace(GOING, progress=replace(NOW, gpus=GPUS_NOW))
    progress = json.loads(told(source_of(watched, ENDED))[3].partition("data: ")[2])
    assert progress["gpus"] == [
        ["0 NVIDIA H100 80GB HBM3", "97%", "71 / 80 GiB", "66 °C", "640 W"],
        ["1 NVIDIA T400 4GB", "0%", "0.50 GiB", "n/a", "n/a"],
    ]
    first, second = progress["progress"]["gpus"]
    assert first == {
        "index": 0,
        "name": "NVIDIA H100 80GB HBM3",
        "utilisation": 0.97,
        "memory_bytes": 71 * 2**30,
        "memory_total_bytes": 80 * 2**30,
        "temperature_c": 66.0,
        "power_w": 640.4,
    }
    assert [second[name] for name in ("memory_total_bytes", "temperature_c", "power_w")] == [None, None, None]


def test_a_gpu_of_a_hostile_name_and_of_no_number_ends_no_event() -> None:
    odd = GpuNow(0, f"{HOSTILE}\n\nevent: finished", float("nan"), 2**62, None, float("inf"), 1e300)
    blocks = told(source_of(replace(GOING, progress=replace(NOW, gpus=(odd,))), ENDED))
    assert names(blocks) == ["state", "steps", "progress", "state", "finished"]
    progress = json.loads(blocks[3].partition("data: ")[2])
    assert "\x1b" not in progress["gpus"][0][0] + progress["progress"]["gpus"][0]["name"]
    assert progress["gpus"][0][1] == progress["gpus"][0][3] == "n/a"
    assert progress["progress"]["gpus"][0]["utilisation"] is None


def test_a_run_without_gpus_has_an_empty_list_of_them() -> None:
    progress = json.loads(told(source_of(GOING, ENDED))[3].partition("data: ")[2])
    assert (progress["gpus"], progress["progress"]["gpus"]) == ([], [])


def test_hostile_text_ends_no_event() -> None:
    hostile = replace(GOING, because=f"{HOSTILE}\n\nevent: finished\ndata: {{}}", progress=replace(NOW, step=HOSTILE))
    blocks = told(source_of(hostile, ENDED))
    assert names(blocks) == ["state", "steps", "progress", "state", "finished"]
    assert all(block.count("\n") <= 2 for block in blocks)
    assert "\x1b" not in json.loads(blocks[3].partition("data: ")[2])["told"]["step"]


def test_a_quiet_stream_shows_that_it_lives_and_ends_after_ten_minutes() -> None:
    blocks = told(source_of(GOING))
    assert blocks.count(": still here") == (LONGEST_POLLS - 1) // HEARTBEAT_POLLS
    assert "finished" not in names(blocks)


def test_a_store_that_cannot_be_read_ends_the_stream_for_another_try() -> None:
    trouble = StoreError("llmload.db", "another process has been writing for 10 s", "Wait")
    assert names(told(source_of(GOING, trouble))) == ["state", "steps", "progress"]


# ---------------------------------------------------------------- over HTTP


@dataclass
class Reader:
    """The other end of a request: what it was sent, and when it leaves."""

    method: str = "GET"
    sent: list[Message] = field(default_factory=list)
    leaves: asyncio.Event = field(default_factory=asyncio.Event)
    is_stopping: bool = False

    async def receive(self) -> Message:
        await self.leaves.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    @property
    def exchange(self) -> Exchange:
        return Exchange(self.method, self.receive, self.send, lambda: self.is_stopping)

    @property
    def status(self) -> object:
        return self.sent[0]["status"]


async def _first_events(reader: Reader) -> None:
    while len(reader.sent) < 3:
        await asyncio.sleep(0.01)


def test_a_reader_who_leaves_and_a_server_that_stops_end_their_streams() -> None:
    async def scene() -> None:
        streams = Streams(most=2)
        leaving, staying, late = Reader(), Reader(), Reader()
        tasks = [asyncio.create_task(streams.answer(source_of(GOING), each.exchange)) for each in (leaving, staying)]
        await asyncio.gather(_first_events(leaving), _first_events(staying))
        await streams.answer(source_of(GOING), late.exchange)
        assert late.status == 503
        assert (b"retry-after", b"10") in late.sent[0]["headers"]  # type: ignore[operator]  # a message holds objects
        leaving.leaves.set()
        await asyncio.wait_for(tasks[0], 2)
        staying.is_stopping = True
        await asyncio.wait_for(tasks[1], 2)
        again = Reader()
        await streams.answer(source_of(ENDED), again.exchange)
        assert again.status == 200

    asyncio.run(scene())


def test_head_opens_no_stream() -> None:
    reader = Reader("HEAD")
    asyncio.run(Streams().answer(source_of(GOING), reader.exchange))
    assert [message.get("body") for message in reader.sent] == [None, b""]
    assert reader.status == 200


@pytest.mark.parametrize(
    ("stands", "status"),
    [(None, 404), (StoreError("llmload.db", "the store is not there", "Put it back"), 503)],
    ids=["a run that is not there", "a store that is gone"],
)
def test_what_cannot_be_followed_is_refused(stands: StoreError | None, status: int) -> None:
    reader = Reader()
    asyncio.run(Streams().answer(source_of(stands), reader.exchange))
    assert reader.status == status


def test_the_site_answers_for_runs_that_ended_and_that_never_were(filled: Path) -> None:
    ended, missing = ask(filled, f"/benchmark/{FAILED}/events", "/benchmark/nobody/events")
    assert ended.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert 'event: finished\ndata: {"status":"failed"}' in ended.text
    assert missing.status_code == 404


def test_a_run_whose_process_lives_is_followed(filled: Path) -> None:
    (page,) = ask(filled, f"/benchmark/{RUNNING}")
    assert 'data-events="../benchmark/20260301-120000-000000f0/events"' in page.text
    assert 'role="progressbar"' in page.text


@pytest.mark.parametrize(("gpus", "is_hidden"), [((), True), (GPUS_NOW, False)], ids=["none watched", "two watched"])
def test_the_page_shows_gpus_where_there_are_any(
    gpus: tuple[GpuNow, ...], is_hidden: bool, filled: Path, tmp_path: Path
) -> None:
    path = Path(shutil.copyfile(filled, tmp_path / filled.name))
    with open_store(path) as store:
        store.progress(RUNNING, replace(NOW, gpus=gpus))
    english, korean = ask(path, f"/benchmark/{RUNNING}", f"/benchmark/{RUNNING}?lang=ko")
    for page, heading in ((english, "GPUs now"), (korean, "현재 GPU 상태")):
        assert ('<div id="gpus-now" class="gpus" hidden>' in page.text) == is_hidden
        assert f'<h3 id="gpus">{heading}</h3>' in page.text
        assert page.text.count('<th scope="row">0 NVIDIA H100 80GB HBM3<td>') == len(gpus) // 2
