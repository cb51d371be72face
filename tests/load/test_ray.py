"""Workers on the nodes of a real Ray cluster: two nodes on this machine, the second one with a clock of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import monotonic_ns

import pytest

from llmload import __version__
from llmload.domain import Ending, Observation, Phase
from llmload.errors import ClusterError, UsageError
from llmload.load.clock import SAME, Clock
from llmload.load.node import this_node
from llmload.load.pool import Pool
from llmload.load.ray_cluster import RayCluster
from llmload.load.ray_worker import check_reachable
from llmload.load.window import Window
from llmload.progress import Progress
from llmload.scenario.asked import Guards
from tests.command import UNCOVERED, llmload, measured_apart, start, write_scenario
from tests.load.ray_nodes import Nodes, ray_nodes
from tests.load.windows import endpoint, window
from tests.scripted_server import Script, ScriptedServer, stream

ROOT = Path(__file__).parents[2]
SECRET = "sk-no-log-may-hold-this-a81f20c7"
ELSEWHERE = replace(this_node(), name="gpu-7", boot="another")

real_cluster = pytest.mark.cluster
"""These windows are real, on one cluster for all of them; `make test-ray` runs them."""

own_cluster = pytest.mark.losses
"""Each of these spoils a cluster of its own; `make test-ray-losses` runs them."""

BEFORE = {signum: signal.getsignal(signum) for signum in (signal.SIGTERM, signal.SIGINT)}


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with ray_nodes() as running:
        yield running


@pytest.fixture(scope="module")
def cluster(nodes: Nodes) -> Iterator[RayCluster]:
    with RayCluster(nodes.address) as connected:
        yield connected


@dataclass(frozen=True)
class Hired:
    """What two workers turned out to be, in the order of their clocks."""

    ray_nodes: list[str]
    names: list[str]
    clocks: list[Clock]
    estimates: list[Clock]


@pytest.fixture(scope="module")
def hired(cluster: RayCluster) -> Hired:
    workers = sorted([cluster.hire(), cluster.hire()], key=lambda worker: worker.clock.offset_ns)
    found = Hired(
        [worker.ray_node for worker in workers],
        [worker.node for worker in workers],
        [worker.clock for worker in workers],
        [worker.estimate_clock() for worker in workers],
    )
    for worker in workers:
        worker.stop()
    return found


def observe(pool: Pool, asked: Window) -> Observation:
    return pool.observe(asked, on_progress=lambda progress: None, stop=threading.Event())


# ---------------------------------------------------------------- a window on two nodes


@real_cluster
def test_every_request_of_a_window_on_two_nodes_is_sent_once_and_told_by_our_clock(cluster: RayCluster) -> None:
    with ScriptedServer(lambda request: stream(5, 0.01, 0)) as server, Pool(2, cluster) as pool:
        before_ns = monotonic_ns()
        seen = [observe(pool, window(endpoint(server.url), concurrency=4, requests=40)) for _ in range(2)]
        after_ns = monotonic_ns()
    assert [one.ending for one in seen] == [Ending.COMPLETE] * 2
    assert len(server.requests) == sum(record.sent_ns is not None for one in seen for record in one.records)
    for one in seen:
        assert len({record.seq for record in one.records}) == len(one.records)
        assert len(one.workers) == 2
        counted = [record for record in one.records if record.phase is Phase.MEASURED]
        assert len(counted) >= 40
        for record in counted:
            assert record.sent_ns is not None
            assert before_ns < record.due_ns <= record.sent_ns < record.event_ns[0] <= record.done_ns < after_ns


@real_cluster
def test_two_workers_are_on_two_nodes(hired: Hired) -> None:
    assert len(set(hired.ray_nodes)) == 2


@real_cluster
def test_asking_finds_the_true_offset_of_a_clock_within_its_own_bound(hired: Hired, nodes: Nodes) -> None:
    for clock, true_offset_ns in zip(hired.estimates, (0, nodes.ahead_ns), strict=True):
        assert clock.admits(true_offset_ns)
        assert clock.error_ns < 50_000_000


@real_cluster
def test_a_clock_that_is_ours_is_exactly_ours(hired: Hired) -> None:
    assert hired.clocks[0] == SAME
    assert hired.names[0] == ""


@real_cluster
def test_a_worker_with_another_clock_is_told_as_another_machine(hired: Hired, nodes: Nodes) -> None:
    assert hired.names[1] == (this_node().name if nodes.ahead_ns else "")


# ---------------------------------------------------------------- the end, wanted and unwanted


@real_cluster
def test_a_stop_ends_a_window_within_two_seconds_and_leaves_no_process(cluster: RayCluster) -> None:
    stop = threading.Event()
    asked_s: list[float] = []

    def interrupt(progress: Progress) -> None:
        if server.requests and not asked_s:
            asked_s.append(time.monotonic())
            stop.set()

    with ScriptedServer(lambda request: stream(2, 5, 0)) as server, Pool(2, cluster) as pool:
        seen = pool.observe(window(endpoint(server.url), concurrency=2), on_progress=interrupt, stop=stop)
        took_s = time.monotonic() - asked_s[0]
        pids = pool.pids
    assert seen.ending is Ending.INTERRUPTED
    assert took_s < 2
    assert len(pids) == 2
    assert all(is_gone_within(pid, 2) for pid in pids)


@real_cluster
def test_a_guard_counts_what_happens_on_all_nodes_and_ends_the_window_there(cluster: RayCluster) -> None:
    with ScriptedServer(lambda request: Script([], "stall")) as server, Pool(2, cluster) as pool:
        asked = window(endpoint(server.url), concurrency=4, requests=40, guards=Guards(dead_server_s=1))
        observe(pool, replace(asked, look=replace(asked.look, requests=0), warmup=0, guards=Guards()))
        began_s = time.monotonic()
        seen = observe(pool, asked)
        took_s = time.monotonic() - began_s
    assert (seen.ending, [caveat.rule for caveat in seen.caveats]) == (Ending.GUARD, ["guard dead_server tripped"])
    assert took_s < 5


@real_cluster
def test_a_worker_process_that_dies_is_an_error_that_names_its_node(cluster: RayCluster) -> None:
    with ScriptedServer(lambda request: stream(2, 5, 0)) as server, Pool(2, cluster) as pool:
        threading.Timer(0.5, os.kill, (pool.pids[0], signal.SIGKILL)).start()
        with pytest.raises(ClusterError, match=rf"node {this_node().name} .*the worker process died \(signal 9\)"):
            observe(pool, window(endpoint(server.url), concurrency=2))


@real_cluster
def test_an_actor_that_dies_takes_its_worker_along_and_is_an_error_that_names_its_node(cluster: RayCluster) -> None:
    with ScriptedServer(lambda request: stream(2, 5, 0)) as server, Pool(2, cluster) as pool:
        pids = pool.pids
        threading.Timer(0.5, os.kill, (parent_of(pids[0]), signal.SIGKILL)).start()
        with pytest.raises(ClusterError, match=f"node {this_node().name} .*actor or its node died"):
            observe(pool, window(endpoint(server.url), concurrency=2))
    assert all(is_gone_within(pid, 5) for pid in pids)


@real_cluster
def test_a_driver_that_is_killed_leaves_no_worker(nodes: Nodes, tmp_path: Path) -> None:
    program = tmp_path / "driver.py"
    program.write_text(
        "import sys, threading\n"
        "from llmload.load.pool import Pool\n"
        "from llmload.load.ray_cluster import RayCluster\n"
        "from tests.load.windows import endpoint, window\n"
        "with RayCluster(sys.argv[1]) as cluster, Pool(1, cluster) as pool:\n"
        "    print(pool.pids[0], flush=True)\n"
        "    asked = window(endpoint(sys.argv[2]), requests=1000)\n"
        "    pool.observe(asked, on_progress=lambda p: None, stop=threading.Event())\n"
    )
    with ScriptedServer(lambda request: stream(2, 0.2, 0)) as server:
        driver = subprocess.Popen(
            [sys.executable, str(program), nodes.address, server.url],
            stdout=subprocess.PIPE,
            env={**UNCOVERED, "PYTHONPATH": str(ROOT)},
            cwd=ROOT,
        )
        assert driver.stdout is not None
        with driver.stdout:
            worker = int(driver.stdout.readline())
            while not server.requests:
                time.sleep(0.01)
            driver.kill()
            driver.wait()
        assert is_gone_within(worker, 10)


@own_cluster
@pytest.mark.parametrize("node", [pytest.param(0, id="the head"), pytest.param(1, id="another one")])
def test_a_node_that_loses_its_power_is_an_error_that_names_it(node: int, tmp_path: Path) -> None:
    with ray_nodes() as doomed, ScriptedServer(lambda request: stream(2, 5, 0)) as server:
        driver = start_driver(tmp_path, doomed, server.url)
        while len(server.requests) < 2 and driver.poll() is None:
            time.sleep(0.01)
        doomed.cut_power(node)
        told, _ = driver.communicate(timeout=60)
    assert told.startswith(f"5 node {this_node().name} (")


@own_cluster
def test_a_node_with_another_version_of_llmload_is_an_error_that_says_so(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "llmload", tmp_path / "old/llmload", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "old/llmload/__init__.py").write_text('__version__ = "0.0.1"\n')
    with ray_nodes(env={"PYTHONPATH": str(tmp_path / "old")}) as old:
        told, _ = start_driver(tmp_path, old, "http://127.0.0.1:9").communicate(timeout=60)
    assert re.match(rf"5 node .*: has llmload 0\.0\.1, and this is {re.escape(__version__)}\. Install", told), told


@own_cluster
def test_a_node_without_llmload_is_an_error_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "none/llmload").mkdir(parents=True)
    (tmp_path / "none/llmload/__init__.py").write_text("")  # hides the one that is installed
    with ray_nodes(env={"PYTHONPATH": str(tmp_path / "none")}) as bare:
        told, _ = start_driver(tmp_path, bare, "http://127.0.0.1:9").communicate(timeout=60)
    assert told.startswith("5 load.engine: ray: a node has no llmload, or another version of it. Install"), told


# ---------------------------------------------------------------- the whole command


@real_cluster
def test_a_scenario_on_a_cluster_is_judged_as_any_other_and_says_whose_clocks_it_used(
    nodes: Nodes, tmp_path: Path
) -> None:
    path = write_scenario(tmp_path, load__engine="ray", load__address=nodes.address, load__workers="2")
    done = measured_apart("apply", str(path), cwd=tmp_path)
    told = " ".join(done.stdout.split())
    assert done.returncode == 0, told
    (step,) = json.loads((tmp_path / "reports/chat/result.json").read_bytes())["steps"]
    assert step["workers"]["because"] == "as load.workers asks; on a Ray cluster, where 2 CPUs were free"
    assert ("clocks of other machines are known within" in told) is (nodes.ahead_ns > 0)


@real_cluster
def test_ctrl_c_stops_a_run_on_a_cluster_as_any_other(nodes: Nodes, tmp_path: Path) -> None:
    load = {"load__engine": "ray", "load__address": nodes.address, "load__workers": "2", "load__requests": "100000"}
    path = write_scenario(tmp_path, **load)
    with start("apply", str(path), cwd=tmp_path) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "measured" in line:
                break
        assert len(workers_of(nodes)) == 2
        asked_s = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert time.monotonic() - asked_s < 10  # the window is over within 2 s; then it is stored and told
    assert workers_of(nodes) == []


# ---------------------------------------------------------------- what the cluster must not learn, and must have


@real_cluster
def test_no_log_of_the_cluster_and_no_word_of_ours_holds_a_secret(
    cluster: RayCluster, nodes: Nodes, capfd: pytest.CaptureFixture[str]
) -> None:
    asked = endpoint("http://127.0.0.1:1", headers=(("Authorization", f"Bearer {SECRET}"),))
    with Pool(2, cluster) as pool:
        observe(pool, window(asked, concurrency=2, max_duration_s=1))
        with pytest.raises(ClusterError) as missing:
            pool._workers[0].send(window(replace(asked, url="https://127.0.0.1:1", tls_ca_file="/no/such.pem")))
        threading.Timer(0.3, os.kill, (pool.pids[1], signal.SIGKILL)).start()
        with pytest.raises(ClusterError) as death:
            observe(pool, window(asked, concurrency=2, max_duration_s=5))
    assert SECRET not in "".join((*capfd.readouterr(), str(missing.value), str(death.value)))
    files = [path for path in nodes.logs.rglob("*") if path.is_file()]
    assert len(files) > 10
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []


@real_cluster
def test_more_workers_than_free_cpus_are_refused_at_once(cluster: RayCluster) -> None:
    with (
        ScriptedServer(lambda request: stream(1, 0, 0)) as server,
        Pool(3, cluster) as pool,
        pytest.raises(ClusterError, match="worker 3 has no CPU: the cluster had 2 free ones"),
    ):
        observe(pool, window(endpoint(server.url), concurrency=3))


@real_cluster
def test_connecting_leaves_signals_to_us(cluster: RayCluster) -> None:
    assert {signum: signal.getsignal(signum) for signum in BEFORE} == BEFORE


# ---------------------------------------------------------------- no cluster


def test_a_cluster_that_nobody_runs_is_an_error_with_exit_code_5() -> None:
    with pytest.raises(ClusterError, match=r"no Ray cluster can be used at 127\.0\.0\.1:9: .*refused") as told:
        RayCluster("127.0.0.1:9").__enter__()
    assert told.value.exit_code == 5


def test_a_run_without_its_cluster_ends_as_could_not_measure(tmp_path: Path) -> None:
    path = write_scenario(tmp_path, load__engine="ray", load__address="127.0.0.1:9")
    done = llmload("apply", str(path), cwd=tmp_path)
    assert done.returncode == 5
    assert "no Ray cluster can be used at 127.0.0.1:9" in " ".join(done.stderr.split())


def test_another_server_is_told_from_a_ray_head_at_once() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with pytest.raises(ClusterError, match="something other than Ray answers"):
            RayCluster(f"127.0.0.1:{server.server_port}").__enter__()
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("address", ["ray://head:10001", "http://head:8265", "local", "head"])
def test_addresses_of_other_kinds_are_refused(address: str) -> None:
    with pytest.raises(UsageError, match=r"load\.address: .*Write host:port"):
        RayCluster(address).__enter__()


def test_without_the_extra_the_remedy_is_to_install_it() -> None:
    code = (
        "import sys; sys.modules['ray'] = None\n"  # what an import of something that is not there comes to
        "from llmload.load.ray_cluster import RayCluster\n"
        "RayCluster(None).__enter__()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "UsageError: load.engine: engine: ray needs Ray. pip install 'llmload[ray]'" in done.stderr


def test_loading_the_worker_module_does_not_load_ray() -> None:
    code = "import sys, llmload.load.ray_cluster; print('ray' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_loopback_url_is_refused_on_another_machine() -> None:
    with pytest.raises(UsageError, match="means this machine here, and gpu-7 to the worker on that node"):
        check_reachable("http://127.0.0.1:8000", ELSEWHERE, this_node())


@pytest.mark.parametrize(
    ("url", "node"),
    [
        pytest.param("http://10.0.0.1:8000", ELSEWHERE, id="an address for everybody"),
        pytest.param("http://127.0.0.1:8000", this_node(), id="a worker on this machine"),
    ],
)
def test_a_url_that_means_one_machine_to_both_is_taken(url: str, node: object) -> None:
    check_reachable(url, node, this_node())  # type: ignore[arg-type]


# ---------------------------------------------------------------- processes


def start_driver(folder: Path, nodes: Nodes, url: str) -> subprocess.Popen[str]:
    """One window through two workers, in a process of its own that tells of the error."""
    program = folder / "driver.py"
    program.write_text(
        "import sys, threading\n"
        "from llmload.errors import ClusterError\n"
        "from llmload.load.pool import Pool\n"
        "from llmload.load.ray_cluster import RayCluster\n"
        "from tests.load.windows import endpoint, window\n"
        "try:\n"
        "    with RayCluster(sys.argv[1]) as cluster, Pool(2, cluster) as pool:\n"
        "        asked = window(endpoint(sys.argv[2]), concurrency=2)\n"
        "        pool.observe(asked, on_progress=lambda p: None, stop=threading.Event())\n"
        "except ClusterError as error:\n"
        "    print(error.exit_code, error)\n"
    )
    return subprocess.Popen(
        [sys.executable, str(program), nodes.address, url],
        stdout=subprocess.PIPE,
        text=True,
        env={**UNCOVERED, "PYTHONPATH": str(ROOT)},
        cwd=folder,
    )


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


def workers_of(nodes: Nodes) -> list[int]:
    """The worker processes that run on a cluster, by the sessions that its nodes lead."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended while we looked
            session = int((place / "stat").read_text().rsplit(")", 1)[1].split()[3])
            if session in nodes.pids and b"llmload.load.process" in (place / "cmdline").read_bytes():
                found.append(int(place.name))
    return found


def is_gone_within(pid: int, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":  # nobody reaps orphans in some containers
            return True
        time.sleep(0.02)
    return False
