"""Examples name the released weights."""

import json
import re
from pathlib import Path

from safetensors import safe_open

from service.api.schemas import MODEL_EXAMPLE

ROOT = Path(__file__).parents[2]
NAME = re.compile(r"tintflow-cwf-\d+")


def test_examples_name_the_released_weights() -> None:
    with safe_open(ROOT / "weights/cinn.safetensors", "numpy") as weights:
        name = json.loads(weights.metadata()["tintflow"])["name"]
    assert name == MODEL_EXAMPLE
    assert {name} == set(NAME.findall((ROOT / "docs/api.md").read_text("utf-8")))
