"""Documents name the released weights, their default temperature, and the supported photo formats."""

import json
import re
from pathlib import Path

import pytest
from safetensors import safe_open

from service.api.formats import PHOTO_FORMATS
from service.api.schemas import MODEL_EXAMPLE, TEMPERATURE_EXAMPLE
from service.http.openapi import EVENTS_EXAMPLE

ROOT = Path(__file__).parents[2]
NAME = re.compile(r"tintflow-cwf-\d+")
TEMPERATURE = re.compile(r'"temperature": ?([\d.]+)')


def test_examples_name_the_released_weights() -> None:
    with safe_open(ROOT / "weights/cinn.safetensors", "numpy") as weights:
        stored = json.loads(weights.metadata()["tintflow"])
    api = (ROOT / "docs/api.md").read_text("utf-8")
    assert stored["name"] == MODEL_EXAMPLE
    assert {stored["name"]} == set(NAME.findall(api))
    assert stored["temperature"] == TEMPERATURE_EXAMPLE
    answers = TEMPERATURE.findall(api) + TEMPERATURE.findall(EVENTS_EXAMPLE)
    assert {float(each) for each in answers} == {TEMPERATURE_EXAMPLE}


@pytest.mark.parametrize(
    "page", ["README.md", "docs/api.md", "docs/how-it-works.md", "docs/operations.md", "docs/training.md"]
)
def test_documents_name_the_formats_that_are_read(page: str) -> None:
    *first, last = PHOTO_FORMATS
    text = (ROOT / page).read_text("utf-8")
    assert any(f"{', '.join(first)} {word} {last}" in text for word in ("and", "or"))
