"""Variations, transfers, interpolations, likelihoods and choices among candidates: every field and form."""

import json
import zipfile
from io import BytesIO

import pytest

from model.options import Hint, Point
from tests.service.files import encoded, random_image
from tests.service.problems import assert_problem

COLOR_PNG = encoded(random_image(20, 30, 3))
HINTS = [{"x": 0.25, "y": 0.5, "color": "#A03c28"}, {"x": 1, "y": 0, "color": "#000000"}]
VARIATION = {"seed": 7, "index": 2}
PATH = {"seed": 7, "index": 0, "to_index": 1}
LEVELS = "levels: expected coarse, fine, all, or numbers with commas between them, got"
ONE_END = "expected exactly one of to_index and reference, got"


def test_rank(service, grey_png) -> None:
    ranked = service.post(grey_png, seed=7, n=3, rank="likelihood").json()["data"]
    drawn = service.post(grey_png, seed=7, n=3).json()["data"]
    assert [each["index"] for each in ranked] == [2, 1, 0]
    assert [each["b64_json"] for each in ranked] == [each["b64_json"] for each in reversed(drawn)]
    archive = service.post(grey_png, seed=7, n=3, rank="likelihood", response_format="zip")
    assert archive.headers["tintflow-index"] == "2, 1, 0"
    assert zipfile.ZipFile(BytesIO(archive.content)).namelist() == ["2.jpeg", "1.jpeg", "0.jpeg"]


@pytest.mark.parametrize("empty", [(None, b""), ("", b"")], ids=["text", "file"])
def test_a_reference_that_a_browser_sends_empty_is_left_out(service, grey_png, empty: tuple[str | None, bytes]) -> None:
    files = {"image": ("a.png", grey_png), "reference": empty}
    answer = service.client.post("/v1/interpolations", files=files, data={each: str(PATH[each]) for each in PATH})
    assert answer.status_code == 200, answer.text
    assert service.colorizer.references == [None]


def test_hints(service, grey_png) -> None:
    in_form = service.post(grey_png, n=1, hints=json.dumps(HINTS))
    as_json = service.post_json_to("/v1/colorizations", grey_png, n=1, hints=HINTS)
    for answer, options in zip((in_form, as_json), service.colorizer.options, strict=True):
        assert options.hints == (Hint(0.25, 0.5, (160, 60, 40)), Hint(1.0, 0.0, (0, 0, 0)))
        (coloring,) = answer.json()["data"]
        reports = [{"color": color, "delta_e": 3.5, "delta_chroma": 1.25} for color in ("#a03c28", "#000000")]
        assert coloring["hints"] == reports


@pytest.mark.parametrize(
    ("path", "fields"), [("variations", VARIATION), ("interpolations", PATH), ("transfers", {"reference": COLOR_PNG})]
)
def test_colorings_by_the_latent_tools_follow_hints(service, grey_png, path: str, fields: dict[str, object]) -> None:
    answer = service.post_to(f"/v1/{path}", grey_png, hints=json.dumps(HINTS), hint_spread=0.25, **fields)
    assert answer.status_code == 200, answer.text
    assert all(len(coloring["hints"]) == 2 for coloring in answer.json()["data"])
    (options,) = service.colorizer.options
    assert (len(options.hints), options.hint_spread) == (2, 0.25)


def test_other_colors_at_points(service, grey_png) -> None:
    points = [{"x": 0.25, "y": 0.5}, {"x": 1, "y": 0}]
    in_form = service.post_to("/v1/variations", grey_png, **VARIATION, n=2, at=json.dumps(points))
    as_json = service.post_json_to("/v1/variations", grey_png, **VARIATION, n=2, at=points)
    for answer, options in zip((in_form, as_json), service.colorizer.options, strict=True):
        assert options.at == (Point(0.25, 0.5), Point(1.0, 0.0))
        assert [each["at"] for each in answer.json()["data"]] == [["#94412f"] * 2] * 2
    wrong = service.post_to("/v1/variations", grey_png, **VARIATION, at=json.dumps(HINTS))
    assert_problem(wrong, 422, "invalid_parameters", "at: 0.color: unknown field")


def test_hints_of_an_image_are_in_a_header_and_those_of_a_zip_in_its_members_comments(service, grey_png) -> None:
    image = service.post(grey_png, {"Accept": "image/*"}, n=1, hints=json.dumps(HINTS))
    assert image.headers["tintflow-delta-e"] == "3.50 3.50"
    archive = service.post(grey_png, n=2, hints=json.dumps(HINTS), response_format="zip")
    assert "tintflow-delta-e" not in archive.headers
    members = zipfile.ZipFile(BytesIO(archive.content)).infolist()
    assert {member.filename: member.comment for member in members} == dict.fromkeys(("0.jpeg", "1.jpeg"), b"3.50 3.50")


def test_new_colors_of_an_image_are_in_a_header_and_those_of_a_zip_in_its_members_comments(service, grey_png) -> None:
    points = json.dumps([{"x": 0.25, "y": 0.5}, {"x": 1, "y": 0}])
    image = service.post_to("/v1/variations", grey_png, {"Accept": "image/*"}, **VARIATION, n=1, at=points)
    assert image.headers["tintflow-at"] == "#94412f #94412f"
    asked = {"hints": json.dumps(HINTS), "response_format": "zip"}
    archive = service.post_to("/v1/variations", grey_png, **VARIATION, n=1, at=points, **asked)
    (member,) = zipfile.ZipFile(BytesIO(archive.content)).infolist()
    assert member.comment == b"3.50 3.50 #94412f #94412f"


def test_variation(service, grey_png) -> None:
    body = service.post_to("/v1/variations", grey_png, **VARIATION, noise_seed=11, n=3, offset=5).json()
    assert body["id"].startswith("variation-")
    assert (body["seed"], body["noise_seed"]) == (7, 11)
    assert [each["index"] for each in body["data"]] == [5, 6, 7]


@pytest.mark.parametrize(
    ("path", "fields", "seed"), [("colorizations", {}, "seed"), ("variations", VARIATION, "noise_seed")]
)
def test_a_seed_left_out_is_drawn_and_returned(service, grey_png, path: str, fields: dict[str, int], seed: str) -> None:
    first, second = (service.post_to(f"/v1/{path}", grey_png, **fields).json() for _ in range(2))
    assert first[seed] != second[seed]
    again = service.post_to(f"/v1/{path}", grey_png, **fields, **{seed: first[seed]})
    assert again.json()["data"] == first["data"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [("coarse", (8, 16)), ("fine", (32, 64)), ("all", (8, 16, 32, 64)), ("64", (64,)), ("8, 32", (8, 32))],
)
def test_levels(service, grey_png, given: str, expected: tuple[int, ...]) -> None:
    service.post_to("/v1/variations", grey_png, **VARIATION, levels=given)
    for levels in (given, list(expected)):
        answer = service.post_json_to("/v1/variations", grey_png, **VARIATION, levels=levels)
        assert answer.status_code == 200
    assert {options.levels for options in service.colorizer.options} == {expected}


def test_transfer(service, grey_png) -> None:
    body = service.post_to("/v1/transfers", grey_png, reference=COLOR_PNG, n=2, offset=5).json()
    assert (service.colorizer.photos[0].shape, service.colorizer.references[0].shape) == ((24, 40), (20, 30, 3))
    assert body["id"].startswith("transfer-")
    assert (body["width"], body["height"]) == (40, 24)
    assert [each["index"] for each in body["data"]] == [5, 6]


def test_interpolation(service, grey_png) -> None:
    answer = service.post_to("/v1/interpolations", grey_png, **PATH, steps=3, path="linear")
    (options,) = service.colorizer.options
    assert (options.to_seed, options.to_index, options.path) == (None, 1, "linear")
    assert service.colorizer.references == [None]
    assert [each["index"] for each in answer.json()["data"]] == [0, 1, 2]
    assert service.post_to("/v1/interpolations", grey_png, seed=7, index=0, reference=COLOR_PNG).status_code == 200
    assert service.colorizer.options[1].to_index is None
    assert service.colorizer.references[1].shape == (20, 30, 3)


def test_likelihood(service) -> None:
    answer = service.post_to("/v1/likelihoods", COLOR_PNG).json()
    assert answer.pop("id").startswith("likelihood-")
    assert answer.pop("created") > 0
    assert set(answer.pop("timings")) == {"decode", "condition", "likelihood"}
    assert answer == {
        "model": "fake-1",
        "model_sha256": "0" * 64,
        "width": 30,
        "height": 20,
        "bits_per_dim": 4.75,
        "levels": [
            {"size": 8, "dims": 128, "bits_per_dim": 5.5, "latent_norm": 1.25},
            {"size": 16, "dims": 384, "bits_per_dim": 4.5, "latent_norm": 1.0},
        ],
    }
    assert service.colorizer.photos[0].shape == (20, 30, 3)


@pytest.mark.parametrize(("path", "fields"), [("variations", VARIATION), ("transfers", {"reference": COLOR_PNG})])
def test_a_bare_image(service, grey_png, path: str, fields: dict[str, object]) -> None:
    answer = service.post_to(f"/v1/{path}", grey_png, {"Accept": "image/png"}, **fields)  # n becomes 1
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert ("tintflow-noise-seed" in answer.headers) is (path == "variations")


def test_interpolations_are_never_a_bare_image(service, grey_png) -> None:
    answer = service.post_to("/v1/interpolations", grey_png, {"Accept": "image/png"}, **PATH)
    assert_problem(answer, 406, "not_acceptable")
    assert "n=1" not in answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "fields", "problem"),
    [
        ("variations", {"seed": 7}, "index"),
        ("variations", {"seed": "", "index": 0}, "seed: this field is required"),
        ("variations", VARIATION | {"index": 64}, "index"),
        ("variations", VARIATION | {"strength": 1.1}, "strength"),
        ("variations", VARIATION | {"strength": "nan"}, "strength"),
        ("variations", VARIATION | {"levels": "12"}, "levels"),
        ("variations", VARIATION | {"levels": "rough"}, f"{LEVELS} 'rough'"),
        ("variations", VARIATION | {"levels": "8;16"}, f"{LEVELS} '8;16'"),
        ("variations", VARIATION | {"n": 17}, "n"),
        ("variations", VARIATION | {"noise_seed": -1}, "noise_seed"),
        ("variations", VARIATION | {"rank": "none"}, "rank"),
        ("variations", VARIATION | {"reference": b"x"}, "reference"),
        ("transfers", {"reference": ""}, "reference: this field is required"),
        ("transfers", {"reference": "text"}, "reference"),
        ("transfers", {"reference": b"x", "weights": "1,1,1,2"}, "weights"),
        ("transfers", {"reference": b"x", "weights": "much"}, "weights"),
        ("transfers", {"reference": b"x", "weights": "1,1,1"}, "weights: expected at least 4 items, got 3"),
        ("interpolations", PATH | {"steps": 1}, "steps"),
        ("interpolations", PATH | {"steps": 17}, "steps"),
        ("interpolations", PATH | {"path": "crooked"}, "path"),
        ("interpolations", PATH | {"to_index": -1}, "to_index"),
        ("interpolations", PATH | {"n": 4}, "n"),
        ("interpolations", {"seed": 7, "index": 0, "to_seed": 9, "reference": b"x"}, "to_seed"),
        ("interpolations", {"seed": 7, "index": 0}, f"reference: {ONE_END} neither"),
        ("interpolations", PATH | {"reference": b"x"}, f"reference: {ONE_END} both"),
        ("colorizations", {"n": 4, "candidates": 2}, "candidates"),
        ("colorizations", {"candidates": 32, "offset": 33}, "offset"),
        ("transfers", {"reference": b"x", "offset": 62}, "offset"),
        ("images/edits", {"n": 4, "candidates": 2}, "candidates"),
        ("likelihoods", {"n": 4}, "n"),
    ],
)
def test_parameter(service, path: str, fields: dict[str, object], problem: str) -> None:
    answer = service.post_to(f"/v1/{path}", b"no photo", **fields)
    assert_problem(answer, 422, "invalid_parameters", problem)
    assert [each["field"] for each in answer.json()["errors"]] == [problem.partition(":")[0]]
    assert not service.colorizer.options


def test_each_file_may_be_as_large_as_the_limit(service, grey_png, monkeypatch) -> None:
    monkeypatch.setitem(service.settings, "max_bytes", len(grey_png))
    larger = grey_png + b"\0"
    for send in (service.post_to, service.post_json_to):
        assert send("/v1/transfers", grey_png, reference=grey_png).status_code == 200
        for name, image, reference in (("image", larger, grey_png), ("reference", grey_png, larger)):
            answer = send("/v1/transfers", image, reference=reference)
            assert_problem(answer, 413, "upload_too_large", f"{name}:", str(len(grey_png)))
