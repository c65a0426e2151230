"""The dashboard and the alerts use only existing metrics and labels."""

import ast
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from model.protocol import DeviceMemory, ModelInfo
from service.http.problems import PROBLEMS
from service.telemetry.metrics import GAUGES, Metrics

DOCKER = Path(__file__).parents[2] / "docker"
PANELS = json.loads((DOCKER / "grafana/dashboards/tintflow.json").read_text())["panels"]
(GROUP,) = yaml.safe_load((DOCKER / "alerts.yml").read_text())["groups"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]

OF_PROMETHEUS = {"instance", "job"}
"""Labels that Prometheus adds to every metric"""
FUNCTIONS = {"absent", "histogram_quantile", "increase", "rate", "sum"}
SELECTOR, RANGE, GROUPING = r"(\w+)\{([^{}]*)\}", r"\[(?:\d+[smhd]|\$__rate_interval)\]", r"\bby \(([\w, ]+)\)"


def exported() -> dict[str, set[str]]:
    """Return the labels of every metric of the service, and of Prometheus's `up`."""
    metrics = Metrics()
    metrics.watch(**dict.fromkeys(GAUGES, lambda: 0.0))
    model: Any = SimpleNamespace(info=ModelInfo("fake-1", "cpu", 1, 8192, 0.9, "0" * 64), memory=DeviceMemory(1, 2))
    metrics.model_loaded(model)
    metrics.requests.labels("GET", "/", "200")
    metrics.rejected.labels("loading")
    metrics.request_seconds.labels("/")
    metrics.stage_seconds.labels("decode")
    labels = {"up": set(OF_PROMETHEUS)}
    for family in text_string_to_metric_families(metrics.text().decode()):
        for sample in family.samples:
            labels.setdefault(sample.name, set(OF_PROMETHEUS)).update(sample.labels)
    return labels


@pytest.mark.parametrize("query", [*QUERIES, *(rule["expr"] for rule in GROUP["rules"])])
def test_every_query_names_metrics_and_labels_that_exist(query: str) -> None:
    labels = exported()
    for name, matchers in re.findall(SELECTOR, query):
        for matcher in matchers.split(", "):
            found = re.fullmatch(r'(\w+)(?:=|!=|=~|!~)"([^"]*)"', matcher)
            assert found, matcher
            assert found[1] in labels[name]
            assert found[1] != "code" or found[2] in {code for _, code in PROBLEMS.values()}
    # without selectors, ranges and groupings, a query is also a Python expression
    left = re.sub(f"{RANGE}|{GROUPING}", "", re.sub(SELECTOR, r"\1", query))
    nodes = list(ast.walk(ast.parse(f"({left})", mode="eval")))
    called = {node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    names = {node.id for node in nodes if isinstance(node, ast.Name)} - called
    assert called <= FUNCTIONS
    assert names
    assert names <= labels.keys()
    grouped = {label for labels in re.findall(GROUPING, query) for label in labels.split(", ")}
    assert all(grouped <= labels[name] for name in names)


def test_every_alert_says_what_is_wrong_and_has_its_place_in_the_documents() -> None:
    documents = (DOCKER.parent / "docs/operations.md").read_text()
    for rule in GROUP["rules"]:
        assert rule["annotations"].keys() == {"summary", "description"}
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert f"| `{rule['alert']}` |" in documents
