"""The GPUs of other machines, from pages as dcgm-exporter writes them."""

from __future__ import annotations

import gzip
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.samples import Gpu
from llmload.telemetry import dcgm
from llmload.telemetry.dcgm import read_page
from llmload.telemetry.gpu import GpuReader, machine_facts, open_exporter
from llmload.telemetry.recorder import Recorder
from tests.telemetry.exporter import BUSY, FIRST_UUID, HOPPER, SECOND_UUID, Exported, exporting, page
from tests.telemetry.gpu_reading import check_contract, look

MIB = 2**20
TWO = page(Exported(), Exported(1, SECOND_UUID))
SENTINELS = {
    "32 bits, blank": 2147483632,
    "32 bits, not found": 2147483633,
    "32 bits, not supported": 2147483634,
    "32 bits, not permitted": 2147483635,
    "64 bits, blank": 9223372036854775792,
    "64 bits, not supported": 9223372036854775794,
    "64 bits, as a float": "9.223372036854775807e+18",
    "floating point, blank": 140737488355328.0,
    "floating point, not found": "140737488355329.000000",
    "floating point, not supported": "140737488355330.000000",
    "floating point, not permitted": "140737488355331.000000",
}


def figures(text: str) -> dict[str, float]:
    """Of the only GPU on a page."""
    (told,) = read_page(text)
    return dict(told.figures)


# ---------------------------------------------------------------- a page


def test_every_figure_of_a_gpu_is_told_in_our_units() -> None:
    (told,) = read_page(page(Exported()))
    assert told.gpu == Gpu(FIRST_UUID, 0, HOPPER, FIRST_UUID, "570.195.03", 81559 * MIB, 700.0, mig=None, host="node-a")
    assert told.figures == {
        "utilisation": pytest.approx(0.87),
        "memory_bytes": 61000 * MIB,
        "temperature_c": 64,
        "power_w": 512.3,
        "sm_clock_mhz": 1980,
        "memory_clock_mhz": 2619,
        "throttle_reasons": 4,
        "energy_j": pytest.approx(123456.789),
    }


@pytest.mark.parametrize(
    ("values", "total"),
    [
        pytest.param({"DCGM_FI_DEV_FB_TOTAL": 81920}, 81920, id="as the exporter says"),
        pytest.param({"DCGM_FI_DEV_FB_USED": 1000, "DCGM_FI_DEV_FB_FREE": 14000}, 15000, id="used and free"),
        pytest.param(
            {"DCGM_FI_DEV_FB_USED": 1000, "DCGM_FI_DEV_FB_FREE": 14000, "DCGM_FI_DEV_FB_RESERVED": 360},
            15360,
            id="what the driver keeps is a part of it",
        ),
        pytest.param({"DCGM_FI_DEV_FB_USED": 1000}, None, id="unknown without what is free"),
    ],
)
def test_the_memory_of_a_gpu_is_what_its_parts_amount_to(values: dict[str, float], total: int | None) -> None:
    (told,) = read_page(page(Exported(values=values)))
    assert told.gpu.memory_total_bytes == (None if total is None else total * MIB)


@pytest.mark.parametrize("metric", ["DCGM_FI_DEV_CLOCK_THROTTLE_REASONS", "DCGM_FI_DEV_CLOCKS_EVENT_REASONS"])
def test_throttle_reasons_have_two_names(metric: str) -> None:
    assert figures(page(Exported(values={metric: 72}))) == {"throttle_reasons": 72}


def test_the_limit_that_is_enforced_goes_before_the_one_that_was_set() -> None:
    values = {**BUSY, "DCGM_FI_DEV_ENFORCED_POWER_LIMIT": 650}
    (told,) = read_page(page(Exported(values=values)))
    assert told.gpu.power_limit_w == 650


@pytest.mark.parametrize("blank", SENTINELS.values(), ids=SENTINELS)
@pytest.mark.parametrize("metric", BUSY)
def test_what_dcgm_has_no_value_for_is_no_figure(metric: str, blank: float | str) -> None:
    told = figures(page(Exported(values={**BUSY, metric: blank})))
    usual = figures(page(Exported()))
    assert {name: told[name] for name in told} == {name: usual[name] for name in told}
    assert len(usual) - len(told) == (metric in dcgm._METRICS)


def test_energy_may_be_more_than_32_bits_hold() -> None:
    assert figures(page(Exported(values={"DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION": 3_000_000_000_000}))) == {
        "energy_j": pytest.approx(3e9)
    }


def test_two_hosts_behind_one_page_are_kept_apart() -> None:
    told = read_page(page(Exported(host="node-b", uuid="GPU-b"), Exported(), Exported(1, SECOND_UUID)))
    assert [(each.gpu.host, each.gpu.index, each.gpu.key) for each in told] == [
        ("node-a", 0, FIRST_UUID),
        ("node-a", 1, SECOND_UUID),
        ("node-b", 0, "GPU-b"),
    ]


def test_gpus_without_a_uuid_are_kept_apart_by_host_and_number() -> None:
    text = page(Exported(), Exported(1), Exported(host="node-b")).replace(f'UUID="{FIRST_UUID}",', "")
    assert [each.gpu.key for each in read_page(text)] == ["node-a/0", "node-a/1", "node-b/0"]


def test_a_gpu_that_several_pods_share_is_one() -> None:
    shared = page(Exported()).replace(',Hostname="', ',container="a",pod="one",Hostname="')
    both = shared + page(Exported()).replace(',Hostname="', ',container="b",pod="two",Hostname="')
    assert len(read_page(both)) == 1
    assert figures(both) == figures(shared)


def test_instances_stand_for_their_card_without_its_power() -> None:
    instances = [
        Exported(instance=f"{number}", profile="1g.10gb", values={**BUSY, "DCGM_FI_DEV_FB_USED": 100 * number})
        for number in (1, 2)
    ]
    told = read_page(page(Exported(), *instances, Exported(1, SECOND_UUID)))
    assert [(each.gpu.key, each.gpu.mig, each.gpu.power_limit_w) for each in told] == [
        (f"{FIRST_UUID}/1", "1g.10gb", None),
        (f"{FIRST_UUID}/2", "1g.10gb", None),
        (SECOND_UUID, None, 700.0),
    ]
    assert [each.figures["memory_bytes"] for each in told] == [100 * MIB, 200 * MIB, 61000 * MIB]
    assert [("power_w" in each.figures, "energy_j" in each.figures) for each in told] == [
        (False, False),
        (False, False),
        (True, True),
    ]


def test_names_of_an_exporter_cannot_move_the_cursor() -> None:
    (told,) = read_page(page(Exported(name="H100\x1b[2J\u202e", host="a\x9b1m")))
    assert (told.gpu.name, told.gpu.host) == ("H100", "a")


@pytest.mark.parametrize("text", ["", "<html>It works!</html>", "vllm:num_requests_running 3\n", "\0" * 99])
def test_another_page_tells_of_no_gpu(text: str) -> None:
    assert read_page(text) == ()


def test_every_truncation_of_a_page_tells_a_part_of_it_and_nothing_else() -> None:
    text = page(Exported())
    whole, sizes = figures(text), set()
    for end in range(len(text)):
        part = {name: value for told in read_page(text[:end]) for name, value in told.figures.items()}
        assert part.items() <= whole.items()
        sizes.add(len(part))
    assert sizes == set(range(len(whole) + 1))


@given(st.integers(0, len(TWO) - 1), st.text(max_size=3))
def test_damage_anywhere_in_a_page_costs_figures_and_no_more(place: int, damage: str) -> None:
    for told in read_page(TWO[:place] + damage + TWO[place + 1 :]):
        assert told.gpu.name
        assert all(0 <= value < float("inf") for value in told.figures.values())


# ---------------------------------------------------------------- an exporter


def opened(url: str) -> GpuReader:
    """A reader that must be there."""
    reader = open_exporter(url)
    assert reader.gpus, reader.note
    return reader


def test_an_exporter_keeps_to_the_contract_of_readers() -> None:
    with exporting(TWO) as exporter:
        reader = opened(exporter.url)
        check_contract(reader)
        assert machine_facts(reader) == {"gpu": HOPPER, "gpu_count": "2", "driver": "570.195.03"}
        reader.close()


def test_figures_follow_the_page() -> None:
    with exporting(TWO) as exporter:
        reader = opened(exporter.url)
        assert [now.utilisation for now in reader.now()] == [pytest.approx(0.87)] * 2
        exporter.body = page(Exported(values={"DCGM_FI_DEV_GPU_UTIL": 5})).encode()
        told, notes = look(reader)
        assert told == {(FIRST_UUID, "utilisation"): 0.05}
        assert [now.utilisation for now in reader.now()] == [0.05, None]
        assert notes == ()
        reader.close()


def test_what_an_exporter_does_not_export_is_told_once() -> None:
    lean = {name: value for name, value in BUSY.items() if "THROTTLE" not in name and "ENERGY" not in name}
    with exporting(page(Exported(values=lean))) as exporter:
        reader = opened(exporter.url)
        assert (
            look(reader)[1]
            == look(reader)[1]
            == (f"the DCGM exporter at {exporter.url} does not tell: throttle reasons, energy",)
        )
        reader.close()


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        pytest.param(503, TWO.encode(), "status 503", id="an error"),
        pytest.param(302, b"", "status 302", id="elsewhere"),
        pytest.param(200, b"#" * (8 * MIB + 1), "a page of more than 8 MiB", id="a flood"),
    ],
)
def test_an_exporter_that_fails_at_times_leaves_a_gap_and_a_note(status: int, body: bytes, why: str) -> None:
    with exporting(TWO) as exporter:
        reader = opened(exporter.url)
        usual = exporter.body
        exporter.status, exporter.body = status, body
        told, notes = look(reader)
        exporter.status, exporter.body = 200, usual
        after, same = look(reader)
        reader.close()
    assert told == {}
    assert notes == same == (f"the DCGM exporter at {exporter.url} did not always answer: {why}",)
    assert len(after) == 16


def test_a_page_that_unpacks_to_more_than_it_is_is_none() -> None:
    with exporting(TWO) as exporter:
        exporter.body, exporter.encoding = gzip.compress(TWO.encode()), "gzip"
        reader = open_exporter(exporter.url)
    assert reader.gpus == ()
    assert "does not answer (a compressed page)" in reader.note


def test_an_exporter_that_went_away_leaves_a_gap_and_a_note() -> None:
    with exporting(TWO) as exporter:
        reader = opened(exporter.url)
    told, notes = look(reader)
    reader.close()
    assert told == {}
    assert len(notes) == 1
    assert all(now.utilisation is None for now in reader.now())


def test_a_reader_may_be_closed_while_its_exporter_hangs() -> None:
    with exporting(TWO) as exporter:
        reader, recorder = opened(exporter.url), Recorder()
        exporter.proceed.clear()
        looking = threading.Thread(target=reader.read, args=(recorder,))
        looking.start()
        time.sleep(0.1)  # it waits for the answer now
        reader.close()
        exporter.proceed.set()
        looking.join(10)
    assert not looking.is_alive()
    reader.read(recorder)
    assert len(recorder.take()[1]) >= 1


def test_nothing_of_the_run_and_nothing_of_the_environment_goes_to_an_exporter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with exporting(TWO) as exporter:
        opened(exporter.url).close()
    (headers,) = exporter.headers
    assert set(headers) == {"host", "accept", "accept-encoding", "connection", "user-agent"}


@pytest.mark.parametrize(
    ("status", "body", "because"),
    [
        pytest.param(404, "", "does not answer (status 404)", id="no such page"),
        pytest.param(200, "go_goroutines 8\n", "tells of no GPU", id="the page of something else"),
    ],
)
def test_a_page_that_is_none_of_an_exporter_is_an_answer(status: int, body: str, because: str) -> None:
    with exporting(body) as exporter:
        exporter.status = status
        reader = open_exporter(exporter.url)
    assert reader.gpus == ()
    assert because in reader.note


@pytest.mark.parametrize(
    ("url", "because"),
    [
        ("http://127.0.0.1:9/metrics", "does not answer (ConnectError)"),
        ("http://user:hunter22@127.0.0.1:9/metrics?token=hunter22", "does not answer (ConnectError)"),
        ("ftp://127.0.0.1/metrics", "does not answer (UnsupportedProtocol)"),
        ("http://[::1/metrics", "the URL of the DCGM exporter is none"),
        ("http://127.0.0.1:port/", "the URL of the DCGM exporter is none"),
    ],
)
def test_an_exporter_that_cannot_be_asked_is_an_answer_without_secrets(url: str, because: str) -> None:
    reader = open_exporter(url)
    assert reader.gpus == ()
    assert because in reader.note
    assert "hunter22" not in reader.note


def test_an_exporter_that_hangs_does_not_hold_up_the_run() -> None:
    with exporting(TWO) as exporter:
        exporter.proceed.clear()
        reader = open_exporter(exporter.url, within_s=0.1)
        assert reader.note.startswith("no GPU is watched: the DCGM exporter did not answer within 0.1 s")


def test_a_whole_room_of_gpus_is_read_beside_a_measurement() -> None:
    text = page(*(Exported(gpu=n % 8, uuid=f"GPU-{n:04}", host=f"node-{n // 8:03}") for n in range(1024)))
    began = time.process_time()
    told = [read_page(text) for _ in range(2)][-1]
    assert [each.gpu.uuid for each in told] == [f"GPU-{n:04}" for n in range(1024)]
    assert all(each.figures == told[0].figures for each in told)
    assert time.process_time() - began < 2.0


def test_a_name_that_is_longer_than_a_line_may_be_takes_no_gpu_but_its_own() -> None:
    told = read_page(page(Exported(gpu=0), Exported(gpu=1, uuid=SECOND_UUID, name="A" * 10_000)))
    assert [each.gpu.uuid for each in told] == [FIRST_UUID]
