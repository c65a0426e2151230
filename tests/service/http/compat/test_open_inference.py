"""Health and metadata by the Open Inference Protocol."""

import pytest

from service import __version__
from tests.service.problems import assert_problem


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", {"name": "tintflow", "version": __version__, "extensions": []}),
        ("/health/live", {"live": True}),
        ("/health/ready", {"ready": True}),
        ("/models/colorization/ready", {"name": "colorization", "ready": True}),
    ],
)
def test_a_ready_service(service, path: str, expected: dict[str, object]) -> None:
    answer = service.client.get(f"/v2{path}")
    assert (answer.status_code, answer.json()) == (200, expected)


def test_metadata_of_the_model_are_those_of_colorizations(service, grey_png: bytes) -> None:
    metadata = service.client.get("/v2/models/colorization").json()
    assert metadata["name"] == "colorization"
    assert metadata["versions"] == ["fake-1"]
    assert metadata["platform"] == "tintflow_safetensors"
    assert set(metadata) == {"name", "versions", "platform", "inputs", "outputs"}
    for tensor in metadata["inputs"] + metadata["outputs"]:
        assert set(tensor) == {"name", "datatype", "shape"}
    values = {"n": 1, "seed": 7, "temperature": 0.5}
    assert {tensor["name"] for tensor in metadata["inputs"]} == {"image", *values}
    answer = service.post(grey_png, **values)
    assert answer.status_code == 200
    assert "bits_per_dim" in answer.json()["data"][0]


def test_while_loading(loading) -> None:
    service, _ = loading
    for path in ("health/ready", "models/colorization/ready", "models/colorization"):
        answer = service.client.get(f"/v2/{path}")
        assert_problem(answer, 503, "loading", "the model is being loaded")
        assert answer.json()["error"] == answer.json()["detail"]
    assert service.client.get("/v2/health/live").status_code == 200


def test_another_model_is_not_found(service) -> None:
    assert service.client.get("/v2/models/other").status_code == 404
