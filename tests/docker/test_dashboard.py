"""The dashboard asks for metrics that the service has."""

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from model.protocol import DeviceMemory, ModelInfo
from service.telemetry.metrics import GAUGES, Metrics

DASHBOARD = Path(__file__).parents[2] / "docker/grafana/dashboards/tintflow.json"


def test_every_query_of_the_dashboard_names_metrics_that_exist() -> None:
    metrics = Metrics()
    metrics.watch(**dict.fromkeys(GAUGES, lambda: 0.0))
    model: Any = SimpleNamespace(info=ModelInfo("fake-1", "cpu", 1, 8192, 0.9, "0" * 64), memory=DeviceMemory(1, 2))
    metrics.model_loaded(model)
    kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)$", metrics.text().decode(), re.MULTILINE))
    histograms = {name for name, kind in kinds.items() if kind == "histogram"}
    names = kinds.keys() | {f"{name}_{part}" for name in histograms for part in ("bucket", "sum", "count")}
    queries = [target["expr"] for panel in json.loads(DASHBOARD.read_text())["panels"] for target in panel["targets"]]
    asked = {name for query in queries for name in re.findall(r"\b(?:tintflow|process)_\w+", query)}
    assert asked
    assert asked <= names - histograms
