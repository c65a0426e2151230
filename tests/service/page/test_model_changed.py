"""A change of the service's model: existing colorings stay, and name their model."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from playwright.sync_api import Page, Route, expect

from benchmarks.figures.steps import hold, keep
from model.options import Options
from model.protocol import Drawn
from tests.service.fakes import Service
from tests.service.files import opened
from tests.service.page.steps import FAILED, add_more, downloaded, link_of, make_steps, more_like, taken, unzipped
from tests.service.page.stored import until_stored

OTHER_WEIGHTS = {"sha256": "1" * 64}  # of the same name


@pytest.fixture
def other_model(service: Service, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A function that gives the service another model, which draws the opposite colors for each seed."""

    def change(**facts: str) -> None:
        draw = service.colorizer._draw

        def opposite(options: Options) -> Drawn:
            drawn = draw(options)
            return replace(drawn, chroma=-drawn.chroma)

        monkeypatch.setattr(service.colorizer, "_draw", opposite)
        monkeypatch.setattr(service.colorizer, "info", replace(service.colorizer.info, **facts))

    return change


def download(page: Page, selector: str) -> np.ndarray:
    _, content = downloaded(page, selector)
    return np.asarray(opened(content).convert("RGB")).astype(int)


def test_downloads_and_zips_hold_what_was_drawn(page, upload, other_model, service) -> None:
    """The zip includes the source of variations, and needs no request."""
    upload(page)
    seen = download(page, ".card.new .save")
    page.locator(".card.new .open").first.click()
    page.select_option("#format", "png")
    redrawn = download(page, "#download")
    assert np.abs(redrawn - seen).mean() < 3  # but for JPEG's losses
    page.locator("#warmth").fill("0.5")
    more_like(page, "coloring 1")
    warm = download(page, ".card.new .save")
    expect(page.locator("#notices > *")).to_have_count(0)
    other_model(**OTHER_WEIGHTS)
    asked = len(service.colorizer.options)
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    _, files = unzipped(page, "#download-all")
    assert [name.split("-")[1] for name in files] == ["seed", *4 * ["variation"]]
    _, first, *_ = files.values()
    assert np.abs(np.asarray(opened(first)).astype(int) - warm).mean() < 3  # but for JPEG's losses
    assert not [url for url in requests if "/v1/" in url]
    expect(page.locator("#notices > *")).to_have_count(0)
    page.locator(".card.source .open").click()
    page.click("#look-reset")
    assert np.abs(download(page, "#download") - seen).mean() < 3
    expect(page.locator("#notices")).to_contain_text("The file holds what you see here")
    page.locator("#saturation").fill("0.5")  # a look is made from a lossless picture if there is one
    gray = seen.mean(axis=2, keepdims=True)
    dulled = download(page, "#download")
    assert np.abs(dulled - gray).mean() < np.abs(seen - gray).mean()
    assert np.abs(dulled - seen).mean() < np.abs(dulled - (2 * gray - seen)).mean()  # not the opposite colors
    assert len(service.colorizer.options) == asked


def test_each_coloring_in_a_grid_of_two_models_knows_its_own(page, upload, other_model, service) -> None:
    """The page knows the new model as soon as an answer names it."""
    upload(page)
    info = service.colorizer.info
    other_model(name="fake-2", sha256="2" * 64)
    add_more(page, 8)
    expect(page.locator("#model")).to_contain_text("fake-2")
    for place, name in ((0, "fake-1.00000000"), (5, "fake-2.22222222")):
        page.locator(".card.new .open").nth(place).click()
        assert f"model={name}&" in link_of(page)
        page.click("#viewer-close")
    page.locator(".card.new .open").first.click()  # its seed now means another coloring, so its picture is used
    more_like(page, "coloring 1")
    assert service.colorizer.references[-1] is not None
    page.locator(".card.new .open").first.click()
    expect(page.locator("#share-note")).to_contain_text("it is like coloring 1, which an earlier model drew.")
    page.click("#viewer-close")
    page.locator("#history button").last.click()
    page.locator(".card.new .open").nth(5).click()  # drawn by the new model, so its seed is enough
    more_like(page, "coloring 6")
    assert service.colorizer.references[-1] is None
    page.locator("#history button").last.click()
    keep(page, 6, 3)
    other_model(name=info.name, sha256=info.sha256)  # the first model is back, unknown to the page
    make_steps(page, 3)
    options = service.colorizer.options[-1]
    assert options.index == 3  # the fourth coloring by its seed, the other by its picture
    assert service.colorizer.references[-1] is not None
    other_model(name="fake-3")  # neither end can be drawn again, but steps need one that can
    asked = len(service.colorizer.options)
    page.click("#compare-open")
    page.click("#interpolate")
    expect(page.locator("#run-error")).to_contain_text("The service has another model now.")
    expect(page.locator("#run-error")).to_contain_text("An earlier model drew both")
    assert len(service.colorizer.options) == asked
    page.click("#compare-open")
    expect(page.locator("#between-not")).to_be_visible()
    expect(page.locator("#between-not")).to_contain_text("by the present model")


def test_what_is_asked_for_at_once_after_the_change(page, upload, other_model, service) -> None:
    """The page first requests the service's model, and then starts from the picture here, not from a seed."""

    def begin_anew() -> None:
        page.get_by_role("button", name="Remove bridge.png").click()
        upload(page)
        page.locator(".card.new .open").nth(1).click()

    upload(page)
    other_model(name="fake-2")
    page.locator(".card.new .open").nth(1).click()
    more_like(page, "coloring 2")
    assert service.colorizer.references[-1] is not None
    begin_anew()
    held = hold(page, "variations", times=1)
    page.click("#vary")
    taken(page, held)  # else a later request would be held
    page.click("#stop")
    other_model(name="fake-3")
    page.click("#retry")  # no coloring arrived from which others could continue
    expect(page.locator(".card.new")).to_have_count(4)
    assert service.colorizer.references[-1] is not None
    begin_anew()
    more_like(page, "coloring 2")
    assert service.colorizer.references[-1] is None
    other_model(**OTHER_WEIGHTS)
    for count in (8, 12):
        add_more(page, count)
        assert service.colorizer.references[-1] is not None
    begin_anew()
    until_stored(page, "files", 5)
    other_model(name="fake-4")
    hold(page, "models", times=1)  # the page does not know the model
    page.reload()
    expect(page.locator(".card.new")).to_have_count(4)
    page.locator(".card.new .open").nth(1).click()
    more_like(page, "coloring 2")
    assert service.colorizer.references[-1] is not None


def test_variations_of_a_link_do_not_go_on_with_another_model(open_page, upload, other_model, service) -> None:
    """The new model's seeds mean other colorings, and the page has no picture of the first one."""
    page = open_page(at="/#kind=variations&seed=3&temperature=0.75&of=1&strength=0.3&noise_seed=5&n=4&index=1")
    upload(page)
    page.click("#viewer-close")
    other_model(**OTHER_WEIGHTS)
    made = len(service.colorizer.options)
    page.click("#colorize")
    expect(page.locator("#run-error")).to_contain_text("The service has another model now.")
    expect(page.locator("#run-error")).not_to_contain_text("Press “More like this” again")
    expect(page.locator("#retry")).to_be_hidden()
    assert len(service.colorizer.options) == made


@pytest.mark.parametrize("facts", [{"name": "fake-2"}, OTHER_WEIGHTS])
def test_variations_that_another_model_drew_meanwhile_do_not_count(
    open_page, upload, other_model, facts: dict[str, str]
) -> None:
    page = open_page(expected=FAILED)
    upload(page)
    page.locator(".card.new .open").nth(1).click()

    def restart(route: Route) -> None:
        other_model(**facts)
        problem = {"status": 503, "code": "loading", "detail": "the model is being loaded"}
        route.fulfill(status=503, json=problem, headers={"Retry-After": "1"})

    page.route("**/v1/variations", restart, times=1)
    page.click("#vary")
    expect(page.locator("#run-error")).to_contain_text("The service has another model now.")
    expect(page.locator("#run-error")).to_contain_text("Press “More like this” again")
    expect(page.locator(".card.new")).to_have_count(0)
