"""`/v1/images/edits`, called by OpenAI's own client."""

import base64
from collections.abc import Iterator

import openai
import pytest

from service.engine import State
from tests.service.files import opened, png
from tests.service.problems import assert_problem

PHOTO = png(1, 1)


@pytest.fixture
def client(service) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{service.client.base_url}/v1", api_key="none", max_retries=0) as client:
        yield client


def test_an_edit_is_a_coloring_whatever_the_prompt(service, client: openai.OpenAI, grey_png: bytes) -> None:
    form = {"n": 3, "output_format": "jpeg", "output_compression": 50}
    more = {"seed": 7, "temperature": 0.5}
    edited = client.images.edit(
        image=grey_png, prompt="make it red " * 5_000, model="gpt-image-1", response_format="b64_json",
        user="somebody", size="auto", quality="auto", background="auto", extra_body=more, **form,
    )  # fmt: skip
    assert edited.created > 0
    colored = service.post(grey_png, **form, **more).json()["data"]
    assert [image.b64_json for image in edited.data] == [each["b64_json"] for each in colored]
    (one,) = client.images.edit(image=[grey_png], prompt="").data  # an array holds one image
    assert opened(base64.b64decode(one.b64_json)).format == "PNG"


@pytest.mark.parametrize(
    "fields", [{"n": 99}, {"response_format": "url"}, {"size": "1024x1024"}, {"image": [PHOTO] * 2}]
)
def test_errors_name_the_field(client: openai.OpenAI, fields: dict) -> None:
    with pytest.raises(openai.UnprocessableEntityError) as caught:
        client.images.edit(**{"image": PHOTO, "prompt": ""} | fields)
    (param,), error = fields, caught.value
    assert (error.code, error.param, error.type) == ("invalid_parameters", param, "invalid_request_error")
    assert param in error.message


def test_errors_stay_problems(service) -> None:
    answer = service.post_to("/v1/images/edits", b"only text")
    assert_problem(answer, 415, "unsupported_image_type")
    problem = answer.json()
    assert problem["code"] == problem["error"]["code"]
    assert problem["detail"] == problem["error"]["message"]


def test_a_service_that_stops_says_when_to_come_back(service, client: openai.OpenAI, monkeypatch) -> None:
    monkeypatch.setattr(service.app.state.engine, "_state", State.DRAINING)
    with pytest.raises(openai.InternalServerError) as caught:
        client.images.edit(image=PHOTO, prompt="")
    assert (caught.value.code, caught.value.type) == ("draining", "server_error")
    assert caught.value.response.headers["retry-after"]
