"""What makes two runs comparable, and what does not."""

from __future__ import annotations

from dataclasses import replace

from llmload.analysis.baselines import differences
from llmload.analysis.fingerprint import fingerprint_of
from llmload.scenario.asked import Simulator
from tests.analysis.builders import FACTS, HEADER, scenario


def differing(one: Simulator, other: Simulator) -> list[str]:
    """Keys in which runs on these two simulators differ."""
    asked = scenario()
    found = [
        fingerprint_of(HEADER, replace(asked, target=replace(asked.target, place=place)), FACTS)
        for place in (one, other)
    ]
    return [key for key in sorted(found[0] | found[1]) if found[0].get(key) != found[1].get(key)]


def test_another_profile_of_the_simulator_is_another_gpu() -> None:
    assert differing(Simulator(profile="h100"), Simulator(profile="a10g")) == ["gpu"]


def test_more_replicas_of_the_simulator_are_more_gpus() -> None:
    assert differing(Simulator(replicas=1), Simulator(replicas=2)) == ["gpu_count"]


def test_a_simulator_that_became_slower_is_still_the_same_server() -> None:
    assert differing(Simulator(decode_base_ms=10.0), Simulator(decode_base_ms=11.0)) == []


def test_the_gpus_beside_a_simulator_are_none_of_its_own() -> None:
    header = replace(HEADER, environment={"gpu": "NVIDIA H100", "gpu_count": "8", "driver": "580.65.06"})
    asked = scenario()
    simulated = replace(asked, target=replace(asked.target, place=Simulator()))
    assert fingerprint_of(header, simulated, FACTS) == fingerprint_of(HEADER, simulated, FACTS)


def test_windows_of_another_size_are_another_load() -> None:
    asked = scenario()
    found = [
        fingerprint_of(HEADER, replace(asked, load=replace(asked.load, requests=requests)), FACTS)
        for requests in (200, 400)
    ]
    (told,) = differences(found[0], found[1])
    assert (told.key, told.theirs, told.ours) == ("load.requests", "200", "400")
