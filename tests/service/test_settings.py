"""Settings: their documentation, values and errors."""

import json
import re
import resource
from pathlib import Path

import pytest

from service.cli import program
from service.cli.server import OWN_FILES, _allow_files, _most_files
from service.engine import CANARY_SIDE
from service.settings import Settings, SettingsError, read_settings, refuse_unknown
from tests.programs import run

ROOT = Path(__file__).parents[2]
NEARLY_KEYS = "no such setting; did you mean TINTFLOW_API_KEYS_FILE?"


def shown(default: object) -> str:
    """Format a default as on the settings page."""
    if isinstance(default, Path):
        return f"`{default.relative_to(ROOT)}/`"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, int | float):
        return f"{default:g}" if isinstance(default, float) else str(default)
    return f"`{default}`" if default else "none"


def test_page_names_every_setting_and_its_default() -> None:
    defaults = {name.upper(): shown(field.default) for name, field in Settings.model_fields.items()}
    page = (ROOT / "docs" / "settings.md").read_text()
    assert dict(re.findall(r"^\| `TINTFLOW_(\w+)` \| (.*?) \|", page, re.MULTILINE)) == defaults


@pytest.mark.parametrize(
    ("name", "said"),
    [
        *((name, NEARLY_KEYS) for name in ("API_KEY_FILE", "SERVICE_API_KEYS_FILE", "PORT_API_KEYS_FILE")),
        *((name, "no such setting") for name in ("PROT", "PORTS")),
        ("API_KEY", "a client's key, but the service would need none; did you mean TINTFLOW_API_KEYS_FILE?"),
    ],
)
def test_a_typo_or_a_clients_key_is_refused_with_a_name_that_is_like_it(name: str, said: str, monkeypatch) -> None:
    """The names of a port, or of a service, are like those of Kubernetes."""
    monkeypatch.setenv(f"TINTFLOW_{name}", "x")
    result = run(program.app, "serve", "--port", 0, status=2)
    assert result.stderr == f"TINTFLOW_{name}: {said}\n"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEADLINE_SECONDS", "inf"),
        ("DEADLINE_SECONDS", "nan"),
        *((name.upper(), "86401") for name in Settings.model_fields if name.endswith("_seconds")),
        ("MAX_PIXELS", str(CANARY_SIDE**2 - 1)),
        ("WEIGHTS", ""),
        ("CACHE", ""),
        ("API_KEYS_FILE", ""),
        ("MAX_CONNECTIONS", str(2**62)),  # more than any system lets a process open
        ("MAX_CONNECTIONS", str(2**64)),
    ],
)
def test_a_value_that_cannot_be_is_refused_in_one_line(name: str, value: str, monkeypatch) -> None:
    monkeypatch.setenv(f"TINTFLOW_{name}", value)
    result = run(program.app, "serve", "--port", 0, status=2)
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith(f"TINTFLOW_{name}: ")


@pytest.mark.usefixtures("own_logging")
def test_wrong_settings_are_logged_as_json_where_log_lines_are(monkeypatch) -> None:
    monkeypatch.setenv("TINTFLOW_LOG_FORMAT", "json")
    monkeypatch.setenv("TINTFLOW_MAX_PIXELS", "1")
    line = json.loads(run(program.app, "serve", "--port", 0, status=2).stderr)
    assert (line["event"], line["level"]) == ("not_started", "error")
    assert line["reason"].startswith("TINTFLOW_MAX_PIXELS: ")


def test_a_low_limit_on_open_files_is_raised() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft - 1, hard))
    try:
        _allow_files(soft)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (soft, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize(("queue_length", "photos"), [(256, 256), (2**62, 600)])
def test_photos_in_flight_are_open_files(queue_length: int, photos: int) -> None:
    settings = Settings(max_connections=600, queue_length=queue_length)
    assert _most_files(settings) == 600 + photos + OWN_FILES


@pytest.mark.parametrize("port", ["-1", "65536"])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    assert "--port" in run(program.app, "serve", "--port", port, status=2).stderr


def test_origins_are_as_browsers_send_them(monkeypatch) -> None:
    monkeypatch.setenv("TINTFLOW_CORS_ORIGINS", "https://A.example:443/, http://b.example:8080, http://[::1]:80,")
    assert Settings().cors_origins == ("https://a.example", "http://b.example:8080", "http://[::1]")


@pytest.mark.parametrize(
    "origins",
    [
        "a.example",
        "https://a.example/page",
        "https://a.example http://b.example",
        "https://*.a.example",
        "https://me@a.example",
        "https://a.example?page=1",
        "https://a.example:",
    ],
)
def test_what_is_no_origin_is_refused(monkeypatch, origins: str) -> None:
    monkeypatch.setenv("TINTFLOW_CORS_ORIGINS", origins)
    with pytest.raises(SettingsError, match=r"TINTFLOW_CORS_ORIGINS: expected \* or origins such as"):
        read_settings()


def test_what_is_no_typo_is_not_refused() -> None:
    refuse_unknown(["TINTFLOW_API_KEY", "tintflow_api_keys_file"])
    refuse_unknown(["PATH", "TINTFLOW_MAX_BYTES", "tintflow_max_bytes", "TINTFLOW_URL"])
    of_kubernetes = ["PORT", "PORT_80_TCP", "PORT_80_TCP_ADDR", "SERVICE_HOST", "SERVICE_PORT_HTTP"]
    refuse_unknown([f"TINTFLOW_{name}" for name in of_kubernetes])
