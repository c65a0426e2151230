"""Colors of another photo."""

import pytest
from playwright.sync_api import expect

from benchmarks.figures.steps import drop, hold
from model.options import TRANSFER_WEIGHTS
from tests.service.page.steps import (
    add_more,
    borrow,
    expect_colorings,
    taken,
)
from tests.service.page.stored import until_stored


def test_a_reference_lends_its_colors_until_the_last_photo_goes(page, upload, color_photo, service) -> None:
    """The reference also survives a reload. Further colorings follow the slider *Safe ↔ Bold*."""
    upload(page)
    borrow(page, color_photo)  # few at first
    expect(page.locator("#reference-picture")).to_be_visible()
    assert service.colorizer.references[-1][0, 0].tolist() == [200, 120, 40]
    assert service.colorizer.options[-1].weights == (*TRANSFER_WEIGHTS.values(), 0, 0)  # the default
    page.locator("#boldness").fill("0.4")
    add_more(page, 6)  # "4 more"
    page.locator("#boldness").fill("0")
    expect(page.locator("#colorize")).to_have_text("1 more")  # since others would be equal
    add_more(page, 7)
    expect(page.locator("#colorize")).to_have_text("Colorize")
    assert [(each.n, each.temperature) for each in service.colorizer.options[2:]] == [(4, 0.4), (1, 0)]
    page.locator("#boldness").fill("0.4")
    expect(page.locator("#colorize")).to_have_text("4 more")
    expect(page.locator("#strip .photo")).to_have_count(1)  # the reference is not a photo to colorize
    page.locator("#closeness").fill("1")
    expect_colorings(page, 1)  # nothing is left to vary
    expect(page.locator("#colorize")).to_have_text("Colorize")  # more would be equal
    expect(page.locator(".card.more")).to_have_count(0)
    until_stored(page, "files", 1 + 4 + 1 + 7 + 1)
    page.reload()
    expect(page.locator("#reference-picture")).to_be_visible()
    expect(page.locator("#closeness-out")).to_have_text("100 %")
    page.locator("#closeness").fill("0.9")
    expect_colorings(page, 2)
    assert service.colorizer.references[-1][0, 0].tolist() == [200, 120, 40]
    page.set_input_files("#reference", color_photo)
    expect(page.locator("#history li")).to_have_count(5)
    page.get_by_role("button", name="Remove bridge.png").click()
    until_stored(page, "files", 0)


def test_keys_on_how_closely_ask_once_and_end_what_is_busy(page, upload, color_photo, service) -> None:
    upload(page)
    held = hold(page, "transfers", times=1)
    drop(page, "#reference-zone", color_photo)
    expect(page.locator(".card.pending.working")).to_have_count(2)
    taken(page, held)
    page.locator("#closeness").focus()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    expect(page.locator(".card.new")).to_have_count(2)  # they do not wait for the held request
    expect(page.locator("#run-title")).to_have_text("Colors of beach.png")
    expect(page.locator("#history li")).to_have_count(2)
    (options,) = {str(each.weights): each for each in service.colorizer.options if hasattr(each, "weights")}.values()
    assert options.weights[0] == pytest.approx(float(page.locator("#closeness").input_value()))
