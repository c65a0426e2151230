"""A real Ray cluster of two nodes on this machine, and the service on it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from benchmarks.running import free_port, wait_until_ready
from tests.service.waiting import eventually

ROOT = Path(__file__).parents[2]
RAY_SERVICE = ROOT / "deploy/ray/rayservice.yaml"
START_SECONDS = 300  # enough for a busy machine
BUSY_MACHINE = {
    "RAY_memory_monitor_refresh_ms": "0",  # a test machine may be fuller than Ray likes
    "RAY_raylet_start_wait_time_s": "120",  # Ray's default, 30, is too short on a busy machine
    "RAY_worker_niceness": "0",  # Ray's default, 15, starves on a busy machine
    "TINTFLOW_DEVICE": "cpu",
}
"""Ray's settings for a machine that does much else."""
MODEL = {
    "ray_actor_options": {"num_cpus": 1},
    "max_ongoing_requests": 2,
    "max_queued_requests": 2,
    "autoscaling_config": {
        "min_replicas": 1,
        "max_replicas": 2,
        "target_ongoing_requests": 1,
        "upscale_delay_s": 1,
        "downscale_delay_s": 20,
        "metrics_interval_s": 1,
        "look_back_period_s": 5,
    },
}
INGRESS = {"ray_actor_options": {"num_cpus": 1}, "autoscaling_config": None, "num_replicas": 1}


@dataclass(frozen=True)
class Service:
    """The service on the cluster."""

    url: str

    def replicas(self, deployment: str = "Model") -> list[psutil.Process]:
        """Return the processes of the replicas of a deployment."""
        name = f"ray::ServeReplica:tintflow:{deployment}"
        return [each for each in psutil.process_iter(["cmdline"]) if name in " ".join(each.info["cmdline"] or ())]

    def wait_for_replicas(self, count: int) -> None:
        """Wait until the model has this many replicas. Raises AssertionError if it never has."""
        eventually(lambda: len(self.replicas()) == count, START_SECONDS)


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """A cluster of two nodes: one with processors for the ingress and a replica, the other for a second replica."""
    from ray.cluster_utils import Cluster

    os.environ.update(BUSY_MACHINE, PYTHONPATH=str(ROOT), RAY_USAGE_STATS_ENABLED="0")
    os.environ["RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH"] = "service.cluster.proxy:middlewares"
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    try:
        cluster.add_node(num_cpus=1)
        yield cluster.address
    finally:
        cluster.shutdown()


@pytest.fixture(scope="session")
def service(address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The ready application as KubeRay would serve it, with numbers for a small machine."""
    port = free_port()
    config: Any = yaml.safe_load(yaml.safe_load(RAY_SERVICE.read_text())["spec"]["serveConfigV2"])
    config["proxy_location"] = "HeadOnly"  # both nodes would open the same port of this machine
    config["http_options"] = {"host": "127.0.0.1", "port": port}
    (application,) = config["applications"]
    application["deployments"] = [{"name": "Ingress", **INGRESS}, {"name": "Model", **MODEL}]
    file = tmp_path_factory.mktemp("serve") / "serve.yaml"
    file.write_text(yaml.safe_dump(config))
    command = [Path(sys.executable).with_name("serve"), "run", file, "--address", address]
    with file.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until_ready(url, process)
            yield Service(url)
        finally:
            process.send_signal(signal.SIGINT)  # on SIGINT, it also ends its children
            process.wait(120)
