"""The same contract against the driver and the GPUs of this machine: `make test-gpu`, where there are some."""

from __future__ import annotations

import pytest

from llmload.telemetry.gpu import machine_facts, open_here
from llmload.telemetry.nvml import NvmlGpus, open_driver
from tests.telemetry.gpu_reading import FIGURES, check_contract, look

pytestmark = pytest.mark.gpu


def test_the_gpus_of_this_machine_keep_to_the_contract_of_readers() -> None:
    reader = open_driver()
    assert isinstance(reader, NvmlGpus), reader
    try:
        check_contract(reader)
    finally:
        reader.close()


def test_the_figures_of_this_machine() -> None:
    """Prints them, for whoever keeps the output; a whole GPU in a server tells all there is."""
    reader = open_here()
    assert reader.gpus, reader.note
    try:
        told, notes = look(reader)
    finally:
        reader.close()
    print(reader.gpus, dict(machine_facts(reader)), told, notes, sep="\n")
    whole = [gpu for gpu in reader.gpus if gpu.mig is None]
    assert all((gpu.key, figure) in told or notes for gpu in whole for figure in FIGURES)


def test_two_readers_of_this_machine_do_not_disturb_each_other() -> None:
    one, other = open_here(), open_here()
    one.close()
    told, _ = look(other)
    other.close()
    assert told
