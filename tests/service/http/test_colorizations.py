"""POST /v1/colorizations: every field, and every form of the answer."""

import base64
import zipfile
from io import BytesIO

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.service.files import encoded, opened
from tests.service.problems import assert_problem


def images_of(answer: httpx.Response) -> list[Image.Image]:
    assert answer.status_code == 200, answer.text
    return [opened(base64.b64decode(each["b64_json"])) for each in answer.json()["data"]]


def test_answer_by_default(service, grey_png) -> None:
    answer = service.post(grey_png)
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    facts = {"id", "created", "model", "model_sha256", "seed", "temperature", "width", "height"}
    assert set(body) == facts | {"data", "timings"}
    assert body["model_sha256"] == service.colorizer.info.sha256
    assert (body["model"], body["width"], body["height"], body["temperature"]) == ("fake-1", 40, 24, 0.75)
    assert 0 <= body["seed"] < 2**32
    assert set(body["timings"]) == {"decode", "condition", "sample", "upsample", "encode"}
    assert body["timings"]["sample"] == 0.002
    assert set(body["data"][0]) == {"index", "b64_json", "media_type", "bits_per_dim", "latent_norm"}  # and no hints
    assert [each["index"] for each in body["data"]] == [0, 1, 2, 3]
    assert [each["bits_per_dim"] for each in body["data"]] == [2.5, 2.625, 2.75, 2.875]
    assert {each["media_type"] for each in body["data"]} == {"image/jpeg"}
    assert [(image.format, image.size) for image in images_of(answer)] == [("JPEG", (40, 24))] * 4


def test_server_timing_names_every_step_and_the_queue(service, grey_png) -> None:
    def steps_of(answer: httpx.Response) -> list[tuple[str, str, str]]:
        return [each.partition(";dur=") for each in answer.headers["server-timing"].split(", ")]

    over_at_first = ["decode", "queue", "condition", "sample"]
    assert [name for name, _, _ in steps_of(service.post(grey_png))] == over_at_first
    steps = steps_of(service.post(grey_png, {"Accept": "image/jpeg"}, n=1))
    assert [name for name, _, _ in steps] == [*over_at_first, "upsample", "encode"]
    assert {name: float(value) for name, _, value in steps}["sample"] == 2.0  # milliseconds


def test_fields_reach_the_colorizer(service, grey_png) -> None:
    fields = {"n": 3, "seed": 2**32 - 1, "temperature": 0.5, "latent_norm": 1.25, "offset": 5}
    body = service.post(grey_png, **fields).json()
    (options,) = service.colorizer.options
    assert {name: getattr(options, name) for name in fields} == fields
    assert (body["seed"], body["temperature"]) == (2**32 - 1, 0.5)
    assert [each["index"] for each in body["data"]] == [5, 6, 7]
    assert [each["latent_norm"] for each in body["data"]] == [1.25] * 3


@pytest.mark.parametrize("output_format", ["jpeg", "webp"])
def test_output_compression(service, grey_png, output_format: str) -> None:
    low, default, high = (
        len(service.post(grey_png, seed=7, output_format=output_format, **quality).json()["data"][0]["b64_json"])
        for quality in ({"output_compression": 1}, {}, {"output_compression": 100})
    )
    assert low < default < high


@pytest.mark.parametrize(("max_side", "size"), [(None, (48, 32)), (48, (48, 32)), (30, (30, 20)), (16, (16, 11))])
def test_previews_are_small_and_their_colors_those_of_the_whole_photo(service, max_side, size) -> None:
    photo = Image.new("LA", (48, 32), (90, 255))
    photo.paste((90, 0), (0, 0, 24, 32))
    small = {} if max_side is None else {"output_max_side": max_side}
    answer = service.post(encoded(photo), n=2, seed=7, output_format="png", **small)
    whole = service.post(encoded(photo), n=2, seed=7, output_format="png")
    assert (answer.json()["width"], answer.json()["height"]) == size
    assert [each.shape for each in service.colorizer.photos] == [(32, 48)] * 2
    for image, other in zip(images_of(answer), images_of(whole), strict=True):
        assert image.size == size
        assert image.getpixel((0, 0)) == other.getpixel((0, 0))
        assert image.getpixel((size[0] - 1, 0)) == other.getpixel((47, 0))
        assert image.getextrema()[3] == (0, 255)


@pytest.mark.parametrize(
    ("mode", "dark", "light"), [("LA", (10, 0), (200, 255)), ("RGBA", (9, 9, 9, 0), (200,) * 3 + (255,))]
)
def test_what_is_transparent_does_not_darken_the_edges_of_a_preview(service, mode, dark, light) -> None:
    photo = Image.new(mode, (48, 32), light)
    photo.paste(dark, (0, 0, 17, 32))  # half of a pixel of the preview
    answer = service.post(encoded(photo), n=1, output_format="png", output_max_side=24)
    (image,) = images_of(answer)
    lightness = np.asarray(image.convert("RGB").convert("L"))
    assert image.getpixel((8, 9))[3] == 128
    assert abs(int(lightness[9, 8]) - int(lightness[9, 20])) < 3


@pytest.mark.parametrize("output_format", ["png", "webp"])
def test_the_output_format_is_made_and_alpha_is_kept(service, grey_photo, output_format: str) -> None:
    photo = grey_photo.convert("LA")
    photo.putalpha(Image.fromarray(255 - np.asarray(grey_photo)))
    answer = service.post(encoded(photo), n=1, output_format=output_format)
    assert answer.json()["data"][0]["media_type"] == f"image/{output_format}"
    (image,) = images_of(answer)
    assert image.format == output_format.upper()
    np.testing.assert_array_equal(np.asarray(image)[..., 3], 255 - np.asarray(grey_photo))


def test_a_zip_is_the_same_bytes_as_one_written_at_once(service, grey_png) -> None:
    fields = {"seed": 7, "n": 3, "output_format": "png"}
    answer = service.post(grey_png, response_format="zip", **fields)
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["tintflow-seed"] == "7"
    assert answer.headers["tintflow-bits-per-dim"] == "2.5, 2.625, 2.75"
    expected = BytesIO()
    with zipfile.ZipFile(expected, "w") as archive:
        for i, each in enumerate(service.post(grey_png, **fields).json()["data"]):
            archive.writestr(zipfile.ZipInfo(f"{i}.png"), base64.b64decode(each["b64_json"]))
    assert answer.content == expected.getvalue()


def test_bare_image(service, grey_png) -> None:
    answer = service.post(grey_png, {"Accept": "image/*"}, seed=7, temperature=0.5, latent_norm=1)  # n becomes 1
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["vary"] == "Accept"
    facts = {name: value for name, value in answer.headers.items() if name.startswith("tintflow-")}
    assert facts.pop("tintflow-id").startswith("colorization-")
    assert facts == {
        "tintflow-seed": "7",
        "tintflow-temperature": "0.5",
        "tintflow-model": "fake-1",
        "tintflow-model-sha256": service.colorizer.info.sha256,
        "tintflow-index": "0",
        "tintflow-bits-per-dim": "2.5",
        "tintflow-latent-norm": "1.0",
    }
    expected = service.post(grey_png, n=1, seed=7, temperature=0.5, latent_norm=1).json()["data"][0]["b64_json"]
    assert answer.content == base64.b64decode(expected)


@pytest.mark.parametrize(
    ("accept", "fields", "media_type"),
    [
        ("*/*", {"n": 1}, "application/json"),
        ("application/*", {}, "application/json"),
        ("APPLICATION/ZIP", {"n": 1}, "application/zip"),
        ("application/zip", {"response_format": "zip"}, "application/zip"),
        ("image/*", {"n": 1}, "image/jpeg"),
        ("application/json, image/jpeg", {}, "application/json"),  # a default n stays
        ("image/*", {"n": 1, "output_format": "webp"}, "image/webp"),
        ("image/png, */*", {"n": 1}, "image/png"),
        ("image/png;q=0.5, image/webp", {"n": 1}, "image/webp"),
        ("image/*, image/jpeg;q=0", {"n": 1}, "image/png"),
        ("application/json;q=0.1, application/zip;q=0.2", {}, "application/zip"),
        ("application/json;q=nan, application/zip;q=0.5", {}, "application/zip"),
        ("application/json;q=2, application/zip;q=0.66666", {}, "application/zip"),
        ("image/webp, */*;q=0.8", {"n": 4}, "application/json"),
        ("image/avif, text/html, */*;q=0.1", {"n": 1}, "application/json"),
        ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", {"n": 2}, "application/json"),  # Java's default
        ("text/*", {}, "text/event-stream"),
        ("text/event-stream", {"response_format": "b64_json"}, "text/event-stream"),
        ("text/event-stream, application/json;q=0.5", {"n": 1}, "text/event-stream"),
        ("text/event-stream;q=0.5, application/zip", {}, "application/zip"),
    ],
)
def test_accept_decides_the_form(service, grey_png, accept: str, fields: dict[str, object], media_type: str) -> None:
    answer = service.post(grey_png, {"Accept": accept}, **fields)
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, media_type)


def test_several_accept_lines_are_one_list(service, grey_png) -> None:
    lines = [("Accept", "text/html"), ("Accept", "application/zip")]
    answer = service.client.post("/v1/colorizations", files={"image": grey_png}, headers=lines)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")


def test_an_empty_field_is_as_if_left_out(service, grey_png) -> None:
    answer = service.post(grey_png, n="", seed="", temperature="", output_format="", response_format="", hints="")
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["data"]) == 4


@pytest.mark.parametrize(
    ("accept", "fields"),
    [
        ("text/html", {}),
        ("image/*", {"n": 4}),
        ("image/*", {"n": 4, "response_format": "b64_json"}),
        ("image/gif", {"n": 1}),
        ("image/gif", {"n": 3}),
        ("image/png", {"n": 1, "output_format": "jpeg"}),
        ("application/json", {"response_format": "zip"}),
        ("text/event-stream", {"response_format": "zip"}),
        ("application/zip", {"response_format": "b64_json"}),
        ("image/png", {"n": 1, "response_format": "b64_json"}),
        ("*/*;q=0", {}),
        ("image/png;q=high", {"n": 1}),
        ("," * 4096 + "*/*", {}),  # parsing its parts would block the event loop
    ],
)
def test_accept_that_cannot_be_met(service, grey_png, accept: str, fields: dict[str, object]) -> None:
    answer = service.post(grey_png, {"Accept": accept}, **fields)
    assert_problem(answer, 406, "not_acceptable")
    assert answer.json()["detail"].endswith("a bare image needs n=1") is (fields == {"n": 4})  # where one could be had
    assert not service.colorizer.photos, "refused only after the work was done"
