"""When traffic is a mixture: which request is of which class, and the requests of one look, each asked of its class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

from llmload.planned import PlannedRequest
from llmload.scenario.quotas import Quotas, quotas_of
from llmload.scenario.traffic import TrafficClass
from llmload.workload.file_plan import FilePlan
from llmload.workload.plan import Plan, window_key
from llmload.workload.shard import Shard


def class_seed(seed: int, name: str) -> int:
    """The seed of one class, so that no two classes say the same words, whatever the others are."""
    return int.from_bytes(blake2b(f"{seed}/{name}".encode(), person=b"class", digest_size=6).digest(), "little")


@dataclass(frozen=True, slots=True)
class MixedPlan:
    """The requests of one look at one step of a mixture, as a function of their index.

    Every block has exactly its share of each class, so that the same index is of the same class on any machine.
    `plans` are those of the classes, in the order of the scenario; each is asked its own requests from 0 on.
    """

    seed: int
    step: int
    look: int
    names: tuple[str, ...]
    quotas: Quotas
    plans: tuple[Plan | FilePlan, ...]

    def request(self, index: int) -> PlannedRequest:
        """The `index`-th request of the window, counting warm-up, measured and filler requests alike."""
        number, rank = self.quotas.place(window_key(self.seed, self.step, self.look, "classes"), index)
        asked = self.plans[number].request(rank)
        return replace(asked, index=index, part=asked.part._replace(traffic_class=self.names[number]))

    def of_shard(self, _shard: Shard) -> MixedPlan:
        """What one worker needs of it: all of it, since its requests are not every n-th one of a class."""
        return self


def mixed_plan(
    classes: Sequence[TrafficClass], window: tuple[int, int, int], plans: Mapping[str, Plan | FilePlan]
) -> MixedPlan:
    """The plan of a window (seed, step and look) of a mixture, from those of its classes by name."""
    names = tuple(each.name for each in classes)
    quotas = quotas_of([each.share for each in classes])
    return MixedPlan(*window, names, quotas, tuple(plans[name] for name in names))
