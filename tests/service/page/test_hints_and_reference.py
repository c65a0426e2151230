"""Colour hints on the photo, and the colours of another photo."""

import pytest
from playwright.sync_api import Page, expect


@pytest.fixture
def hinting(page, upload) -> Page:
    """The page with the grey photo in full view, where hints are placed."""
    upload(page)
    page.get_by_role("button", name="Place colour hints", exact=True).click()
    expect(page.locator("#hint-tools")).to_be_visible()
    return page


def test_a_click_places_a_hint(hinting, service) -> None:
    hinting.get_by_role("radio", name="sky").click()
    image = hinting.locator("#after").bounding_box()
    hinting.mouse.click(image["x"] + 0.25 * image["width"], image["y"] + 0.5 * image["height"])
    hinting.locator("#hint-color").fill("#123456")
    hinting.mouse.click(image["x"] + 0.75 * image["width"], image["y"] + 0.75 * image["height"])
    expect(hinting.locator("#hint-list li")).to_have_count(2)
    dot = hinting.locator(".dot").nth(1).bounding_box()
    assert dot["x"] + dot["width"] / 2 == pytest.approx(image["x"] + 0.75 * image["width"], abs=1)
    hinting.click("#hint-run")
    expect(hinting.locator("#run-facts")).to_contain_text("2 hints")
    expect(hinting.locator(".hint-badge")).to_have_text("2 hints")
    expect(hinting.locator("#run-progress")).to_be_hidden()
    first, second = service.colorizer.options[-1].hints
    assert (first.x, first.y, first.color) == (
        pytest.approx(0.25, abs=0.01),
        pytest.approx(0.5, abs=0.01),
        (122, 174, 219),
    )
    assert (second.x, second.y, second.color) == (
        pytest.approx(0.75, abs=0.01),
        pytest.approx(0.75, abs=0.01),
        (18, 52, 86),
    )
    hinting.locator(".card.new .open").first.click()
    expect(hinting.locator("#facts")).to_contain_text("missed by ΔE 1.3")  # the fake's 1.25
    expect(hinting.locator("#share")).to_be_hidden()


def test_hints_move_vanish_and_come_back(hinting) -> None:
    hinting.click("#hint-add")
    dot = hinting.locator(".dot").first
    expect(dot).to_be_focused()
    dot.press("ArrowRight")
    expect(hinting.locator("#hint-list li")).to_contain_text("51 %, 50 %")
    box = dot.bounding_box()
    hinting.mouse.move(box["x"] + 13, box["y"] + 13)
    hinting.mouse.down()
    hinting.mouse.move(box["x"] + 113, box["y"] + 13, steps=4)
    hinting.mouse.up()
    expect(hinting.locator("#hint-list li")).not_to_contain_text("51 %")
    dot.press("Delete")
    expect(hinting.locator("#hint-list li")).to_have_count(0)
    hinting.keyboard.press("Control+z")
    expect(hinting.locator("#hint-list li")).to_have_count(1)
    expect(dot).to_be_visible()
    hinting.get_by_role("button", name="Remove hint 1").click()
    expect(dot).to_be_hidden()


def test_dragging_the_photo_places_no_hint(hinting) -> None:
    image = hinting.locator("#stage").bounding_box()
    hinting.mouse.move(image["x"] + 300, image["y"] + 300)
    hinting.mouse.down()
    hinting.mouse.move(image["x"] + 340, image["y"] + 330, steps=4)
    hinting.mouse.up()
    expect(hinting.locator("#hint-list li")).to_have_count(0)


def test_a_reference_lends_its_colours(page, upload, drop, color_photo, service) -> None:
    upload(page)
    drop(page, "#reference-zone", color_photo)
    expect(page.locator("#run-title")).to_have_text("Colours of beach.png")
    expect(page.locator(".card.new")).to_have_count(4)
    expect(page.locator("#reference-picture")).to_be_visible()
    assert service.colorizer.references[-1][0, 0].tolist() == [200, 120, 40]
    expect(page.locator("#strip .photo")).to_have_count(1)  # it is no photo to colorize
    page.set_input_files("#reference", color_photo)
    expect(page.locator("#history li")).to_have_count(3)
