"""Rules for every container in docker-compose.yml; `make check` checks its schema."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DASHBOARDS = ROOT / "docker/grafana/dashboards"
SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_has_few_rights_and_limits(name: str) -> None:
    service = SERVICES[name]
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == "unless-stopped"
    assert {"mem_limit", "pids_limit"} <= service.keys()


def test_images_get_every_package() -> None:
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    packages = [name.removesuffix("*") for name in setuptools["packages"]["find"]["include"]]
    sent = (ROOT / ".dockerignore").read_text().splitlines()
    copied = [
        line.split()[1] for line in (ROOT / "docker/Dockerfile").read_text().splitlines() if line.startswith("COPY ")
    ]
    for package in packages:
        assert f"!{package}" in sent
        assert package in copied or package == "weights"  # of these, only the files that the service reads


def test_nothing_but_the_service_starts_unasked_and_nothing_is_open_to_others() -> None:
    assert {name for name, service in SERVICES.items() if "profiles" not in service} == {"tintflow"}
    (device,) = SERVICES["gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])
    ports = [port for service in SERVICES.values() for port in service["ports"]]
    assert all(port.startswith(("127.0.0.1:", "${LISTEN:-127.0.0.1}:")) for port in ports)


def test_what_it_observes_with_is_where_it_is_looked_for() -> None:
    mounts = [mount.split(":") for name in ("prometheus", "grafana") for mount in SERVICES[name]["volumes"]]
    inside = {there: ROOT / here for here, there, *_ in mounts if here.startswith("./")}
    assert all(path.exists() for path in inside.values())
    (source,) = yaml.safe_load((ROOT / "docker/grafana/datasources/prometheus.yml").read_text())["datasources"]
    (provider,) = yaml.safe_load((DASHBOARDS / "provider.yml").read_text())["providers"]
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    dashboard = inside[provider["options"]["path"]] / Path(home).name
    panels = json.loads(dashboard.read_text())["panels"]
    assert {part["datasource"]["uid"] for panel in panels for part in (panel, *panel["targets"])} == {source["uid"]}
    assert source["url"] == "http://prometheus:9090"
    prometheus = yaml.safe_load((ROOT / "docker/prometheus.yml").read_text())
    assert {f"/etc/prometheus/{name}" for name in prometheus["rule_files"]} <= inside.keys()
    (job,) = prometheus["scrape_configs"]
    assert job["job_name"] == "tintflow"  # alerts use this name
    (looked_up,) = job["dns_sd_configs"]
    assert set(looked_up["names"]) == SERVICES.keys() - {"prometheus", "grafana"}
    assert all(SERVICES[name]["ports"][0].endswith(f":{looked_up['port']}") for name in looked_up["names"])
