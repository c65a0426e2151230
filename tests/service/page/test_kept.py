"""Kept colorings, and downloads of them."""

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from benchmarks.figures.steps import drop, keep
from tests.service.files import opened
from tests.service.page.steps import downloaded, more_like, resize, unzipped


@pytest.fixture
def kept(page, upload) -> Page:
    """The page with the first and the fourth coloring kept."""
    upload(page)
    places = [card.bounding_box() for card in page.locator(".card").all()]
    keep(page, 0, 3)
    assert [card.bounding_box() for card in page.locator(".card").all()] == places
    return page


def test_downloads_and_undo_which_closes_the_view_side_by_side(kept, service) -> None:
    asked = len(service.colorizer.options)
    name, content = downloaded(kept, ".card.new .save")
    assert name.startswith("bridge-seed-")
    assert opened(content).size == (300, 200)
    for button, wanted, count in (("#download-all", "bridge.zip", 4), ("#download-kept", "kept-colorings.zip", 2)):
        name, files = unzipped(kept, button)
        assert (name, len(files)) == (wanted, count)
        pictures = [np.asarray(opened(each)) for each in files.values()]
        assert all(each.shape == (200, 300, 3) for each in pictures)
        assert not (pictures[0] == pictures[1]).all()
    assert len(service.colorizer.options) == asked  # the files at hand are used
    expect(kept.locator("#share-kept")).to_be_hidden()  # where the system does not share
    expect(kept.locator("#kept-words")).to_have_text("2 kept")
    expect(kept.locator(".card.new .keep[aria-pressed=true]")).to_have_count(2)
    kept.locator(".card.new .keep").nth(0).click()
    expect(kept.locator("#kept-words")).to_have_text("1 kept")
    kept.keyboard.press("Control+z")
    expect(kept.locator("#kept-words")).to_have_text("2 kept")
    kept.click("#compare-open")
    kept.keyboard.press("Control+z")
    expect(kept.locator("#compare")).to_be_hidden()
    expect(kept.locator("#kept-words")).to_have_text("1 kept")
    kept.locator("#keep-none").press("Enter")
    expect(kept.locator("#kept")).to_be_hidden()
    expect(kept.locator("#undo")).to_be_focused()
    expect(kept.locator("#notices")).to_contain_text("No coloring is kept any longer. Undo, the arrow at the top")
    kept.locator(".card .foot").get_by_role("button", name="Remove bridge.png").click()
    expect(kept.locator("#notices")).to_contain_text("bridge.png and its colorings are removed. Undo")


def test_two_side_by_side_the_steps_between_and_the_better_one(kept, service) -> None:
    """Pictures stay large in low windows: at 200 % zoom, and on a phone held sideways."""
    for width, height in ((640, 400), (740, 360), (1280, 800)):
        resize(kept, width, height)
        kept.click("#compare-open")
        first, second = (each.bounding_box() for each in kept.locator("#compare figure img").all())
        assert first["x"] + first["width"] <= second["x"]
        assert first["height"] > height / 2 - 40
        kept.click("#compare-close")
        kept.locator(".card.new .open").first.click()
        stage, actions = (kept.locator(each).bounding_box() for each in ("#stage", "#actions"))
        assert stage["x"] + stage["width"] <= actions["x"]
        assert stage["height"] > 0.8 * height
        kept.click("#viewer-close")
    kept.click("#compare-open")
    titles = kept.locator("#compare figure strong")
    expect(titles).to_have_text(["Coloring 1", "Coloring 4"])
    first, second = (each.get_attribute("src") for each in kept.locator("#compare figure img").all())
    assert first != second
    kept.click("#compare-close")
    keep(kept, 1)
    kept.click("#compare-open")
    expect(titles).to_have_text(["Coloring 4", "Coloring 2"])
    kept.locator("#compare figure").nth(1).get_by_role("button", name="Next").click()
    expect(titles).to_have_text(["Coloring 4", "Coloring 1"])
    kept.locator("#steps").fill("6")
    kept.click("#interpolate")
    expect(kept.locator(".card.new")).to_have_count(6)
    options = service.colorizer.options[-1]
    assert (options.index, options.to_index, options.steps) == (3, 0, 6)
    expect(kept.locator(".card.new .foot").first).to_contain_text("Step 1 of 6")
    kept.locator("#history button").last.click()
    kept.click("#compare-open")
    hearts = kept.locator("#compare .keep")
    hearts.first.click()
    expect(titles).to_have_text(["Coloring 1", "Coloring 2"])
    kept.keyboard.press("Control+z")
    expect(kept.locator("#kept-words")).to_have_text("3 kept")
    expect(titles).to_have_text(["Coloring 1", "Coloring 2"])
    kept.keyboard.press("Control+Shift+z")
    hearts.last.click()
    expect(kept.locator("#compare")).to_be_hidden()
    expect(kept.locator("#kept-words")).to_have_text("1 kept")
    expect(kept.get_by_role("button", name="Keep coloring 1")).to_have_attribute("aria-pressed", "true")


def test_the_comparison_says_which_reason_there_is_against_steps(open_page, upload, service, monkeypatch) -> None:
    monkeypatch.setitem(service.settings, "max_output_pixels", 130_000)  # two of the photo's 300 × 200
    page = open_page()
    upload(page)
    keep(page, 0, 1)
    page.click("#compare-open")
    expect(page.locator("#between-not")).to_contain_text("too large")
    expect(page.locator("#between-not")).not_to_contain_text("model")


def test_the_strip_marks_what_is_kept_and_the_bar_shows_the_latest(page, upload, photo) -> None:
    page.set_input_files("#files", [photo, photo, photo])
    expect(page.locator("#strip img:not(.gray)")).to_have_count(3)
    resize(page, 1100, 390)
    for place in (0, 2):
        page.locator("#strip .photo").nth(place).click()
        expect(page.locator(".card.new")).to_have_count(4)
        keep(page, 0, 1, 2, 3)
    expect(page.locator("#strip .kept")).to_have_count(2)
    expect(page.locator("#strip .photo").nth(2)).to_have_accessible_name("bridge.png, kept")
    expect(page.locator("#strip .photo").nth(1)).to_have_accessible_name("bridge.png")
    expect(page.locator("#kept-pictures li").last).to_be_in_viewport(ratio=0.9)
    expect(page.locator("#kept-pictures li").first).not_to_be_in_viewport()
    page.evaluate("scrollTo(0, 200)")
    page.locator("#strip .photo").nth(1).click()
    assert page.evaluate("scrollY") == 0


def test_the_bar_holds_what_is_kept_of_any_photo(kept, color_photo) -> None:
    """It says how many belong to the current photo. *More like this* of another photo's coloring shows that photo.

    A photo dropped on a view replaces it.
    """
    hint = "view => getComputedStyle(view, '::after').content"
    for view, opener in (("#viewer", ".card.new .open"), ("#compare", "#compare-open")):
        kept.locator(opener).first.click()
        drop(kept, view, color_photo, ("dragover",))
        assert kept.locator(view).evaluate(hint) == '"Drop to add"'
        drop(kept, view, color_photo)
        expect(kept.locator(view)).to_be_hidden()
        expect(kept.get_by_alt_text("beach.png, the gray photo")).to_be_visible()
        kept.locator("#strip .photo").first.click()
    kept.locator("#strip .photo").last.click()
    expect(kept.locator("#kept-words")).to_have_text("2 kept, none of this photo")
    expect(kept.locator("#compare-open")).to_be_hidden()
    kept.locator(".card.new .keep").first.click()
    expect(kept.locator("#kept-words")).to_have_text("3 kept, 1 of this photo")
    kept.locator("#strip .photo").first.click()
    expect(kept.locator("#kept-words")).to_have_text("3 kept, 2 of this photo")
    kept.locator(".card.new .keep").nth(2).click()
    for width in (1051, 844):  # two pictures fit, and nothing lies outside the bar
        resize(kept, width, 390)
        bar, picture, end = (kept.locator(each).bounding_box() for each in ("#kept", "#kept-pictures", "#keep-none"))
        assert picture["width"] > 80
        assert end["x"] + end["width"] <= bar["x"] + bar["width"]
    expect(kept.locator("#compare-open")).to_be_visible()
    kept.locator("#strip .photo").last.click()
    expect(kept.get_by_alt_text("beach.png, the gray photo")).to_be_visible()
    kept.locator("#kept-pictures button").first.click()
    more_like(kept, "coloring 1")
    expect(kept.get_by_alt_text("bridge.png, the gray photo")).to_be_visible()
    expect(kept.get_by_alt_text("beach.png, the gray photo")).to_have_count(0)
