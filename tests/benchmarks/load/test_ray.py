"""A benchmark starts its own Ray cluster."""

import pytest
import ray

from benchmarks.load.cluster import on_ray


def test_a_cluster_that_runs_already_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def init(address: str | None = None, **_: object) -> None:
        raise ConnectionError(address)

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(ConnectionError, match="local"), on_ray(1, None):
        pass
