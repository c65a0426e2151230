"""A single definition of every option: everything generated from it agrees."""

import re
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

import service
from service.api.endpoints import COLOR_ENDPOINTS, ColorEndpoint
from service.api.formats import FORMATS, OutputFormat
from service.api.generate import generated
from service.api.parameters import Parameters
from service.codecs.encoding import ENCODERS


def test_generated_files_are_up_to_date() -> None:
    for path, text in generated().items():
        assert path.read_text("utf-8") == text, f"{path.name}: run python -m service.api.generate"


def test_the_page_says_no_default_of_its_own() -> None:
    """Its script sets the defaults, from a file generated from the options."""
    page = (Path(service.__path__[0]) / "page/index.html").read_text("utf-8")
    for name in ("number", "strength", "steps", "closeness", "quality"):
        (tag,) = re.findall(rf'<input id="{name}"[^>]*>', page)
        assert " value=" not in tag


def test_every_format_has_an_encoder() -> None:
    assert set(FORMATS) == set(ENCODERS) == set(get_args(OutputFormat))


@pytest.mark.parametrize("endpoint", COLOR_ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_options_arrive_as_they_were_said(endpoint: ColorEndpoint) -> None:
    """The model gets each option's example, sent as JSON and as a form's text."""
    described = endpoint.parameters.model_json_schema()["properties"]
    names = [each.name for each in fields(endpoint.options)]
    said = {name: described[name]["examples"][0] for name in names if name not in ("hints", "at")}
    spelled = {
        name: ",".join(map(str, value)) if isinstance(value, list) else str(value) for name, value in said.items()
    }
    for given in (said, spelled):
        asked = endpoint.asked(endpoint.parameters.model_validate(given))
        found = {name: getattr(asked, name) for name in said}
        assert found == {name: tuple(value) if isinstance(value, list) else value for name, value in said.items()}


def test_file_fields_are_no_options() -> None:
    for endpoint in COLOR_ENDPOINTS:
        assert not {each.name for each in fields(endpoint.options)} & set(Parameters.model_fields)
