"""What makes two runs comparable, and what does not."""

from __future__ import annotations

from dataclasses import replace

from llmload.analysis.baselines import differences
from llmload.analysis.fingerprint import fingerprint_of
from llmload.scenario.asked import Simulator
from llmload.scenario.lengths import Fixed
from llmload.scenario.traffic import SharedPrefix, Synthetic
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


def test_another_shared_prefix_is_another_workload_and_other_hits_of_it_are_not() -> None:
    asked = scenario()

    def workload(prefix: SharedPrefix | None) -> str:
        prompts = Synthetic(Fixed(100), Fixed(11), unique=True, shared_prefix=prefix)
        sharing = replace(asked, workload=replace(asked.workload, prompts=prompts))
        return fingerprint_of(HEADER, sharing, FACTS)["workload"]

    prefix = SharedPrefix(tokens=60, groups=4, zipf=1.0, hits=0.6)
    others = (None, replace(prefix, tokens=61), replace(prefix, groups=5), replace(prefix, zipf=0.9))
    assert len({workload(prefix), *map(workload, others)}) == 5
    assert workload(replace(prefix, hits=0.5)) == workload(prefix)


def test_prompts_without_a_prefix_are_the_workload_that_they_were_before_there_were_any() -> None:
    """Written down before; if it changes, stored runs can no longer be compared with new ones."""
    assert fingerprint_of(HEADER, scenario(), FACTS)["workload"] == "c413867d6c68f70c"
