"""`/v1/images/edits`, called by OpenAI's own client."""

import base64
from collections.abc import Iterator

import numpy as np
import openai
import pytest
from PIL import Image

from tests.service.files import opened


@pytest.fixture
def client(service) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{service.client.base_url}/v1", api_key="none", max_retries=0) as client:
        yield client


def decoded(image) -> Image.Image:
    return opened(base64.b64decode(image.b64_json))


def test_an_edit_is_a_coloring_at_the_photos_own_size(client: openai.OpenAI, grey_png: bytes) -> None:
    answer = client.images.edit(image=grey_png, prompt="make it red " * 5_000, model="gpt-image-1")
    assert answer.created > 0
    (image,) = map(decoded, answer.data)
    assert (image.format, image.size) == ("PNG", (40, 24))


def test_the_fields_of_openai(service, client: openai.OpenAI, grey_png: bytes) -> None:
    answer = client.images.edit(
        image=grey_png, prompt="", n=3, response_format="b64_json", output_format="jpeg", output_compression=50,
        user="somebody", size="auto", quality="auto", background="auto",
    )  # fmt: skip
    assert [decoded(image).format for image in answer.data] == ["JPEG"] * 3
    assert service.colorizer.options[0].n == 3


def test_the_prompt_changes_nothing_and_the_seed_does(service, client: openai.OpenAI, grey_png: bytes) -> None:
    def edit(prompt: str, seed: int) -> str | None:
        answer = client.images.edit(image=grey_png, prompt=prompt, extra_body={"seed": seed})
        return answer.data[0].b64_json

    assert edit("red", 7) == edit("blue", 7) != edit("blue", 8)


def test_the_same_picture_as_a_coloring(service, client: openai.OpenAI, grey_png: bytes) -> None:
    edited = client.images.edit(image=grey_png, prompt="", n=2, extra_body={"seed": 7, "temperature": 0.5})
    colored = service.post(grey_png, n=2, seed=7, temperature=0.5, output_format="png").json()
    for one, other in zip(edited.data, colored["data"], strict=True):
        np.testing.assert_array_equal(np.asarray(decoded(one)), np.asarray(decoded(openai.types.Image(**other))))


def test_an_array_holds_one_image(client: openai.OpenAI, grey_png: bytes) -> None:
    assert len(client.images.edit(image=[grey_png], prompt="").data) == 1
    with pytest.raises(openai.UnprocessableEntityError) as caught:
        client.images.edit(image=[grey_png, grey_png], prompt="")
    assert caught.value.param == "image"


@pytest.mark.parametrize(
    ("fields", "param"),
    [({"n": 99}, "n"), ({"response_format": "url"}, "response_format"), ({"size": "1024x1024"}, "size")],
)
def test_errors_name_the_field(client: openai.OpenAI, grey_png: bytes, fields: dict, param: str) -> None:
    with pytest.raises(openai.UnprocessableEntityError) as caught:
        client.images.edit(image=grey_png, prompt="", **fields)
    error = caught.value
    assert (error.code, error.param, error.type) == ("invalid_parameters", param, "invalid_request_error")
    assert param in error.message


def test_a_broken_file(client: openai.OpenAI) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        client.images.edit(image=b"only text", prompt="")
    assert (caught.value.status_code, caught.value.code) == (415, "unsupported_image_type")


def test_errors_stay_problems(service) -> None:
    answer = service.post_to("/v1/images/edits", b"only text")
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == problem["error"]["code"]
    assert problem["detail"] == problem["error"]["message"]


def test_a_service_that_stops_says_when_to_come_back(start, grey_png: bytes) -> None:
    service = start()
    service.app.state.engine.drain()
    url = f"{service.client.base_url}/v1"
    with (
        openai.OpenAI(base_url=url, api_key="none", max_retries=0) as client,
        pytest.raises(openai.InternalServerError) as caught,
    ):
        client.images.edit(image=grey_png, prompt="")
    assert (caught.value.code, caught.value.type) == ("draining", "server_error")
    assert caught.value.response.headers["retry-after"]
