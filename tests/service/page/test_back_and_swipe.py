"""Swipes and pinches on a touch screen."""

from playwright.sync_api import expect

from tests.service.page.steps import swipe
from tests.service.waiting import eventually


def test_a_swipe_shows_the_next_coloring_where_there_is_nothing_to_pan(open_page, upload) -> None:
    page = open_page(viewport={"width": 390, "height": 780}, has_touch=True)
    upload(page)
    page.locator(".card.new .open").first.click()
    title, wipe = page.locator("#viewer-title"), page.locator("#wipe")
    box = page.locator("#stage").bounding_box()
    x, y = box["x"] + 0.75 * box["width"], box["y"] + 0.4 * box["height"]
    for dx, dy, number in ((-90, 20, 2), (-90, 0, 3), (90, 0, 2), (-90, 80, 2), (-20, 0, 2)):
        swipe(page, (x, y, dx, dy))
        expect(title).to_have_text(f"Coloring {number}")
    middle = box["x"] + box["width"] / 2
    swipe(page, (middle, y, -90, 0))
    expect(wipe).to_have_attribute("aria-valuenow", "27")
    expect(title).to_have_text("Coloring 2")
    page.set_viewport_size({"width": 780, "height": 390})  # a phone is turned
    page.set_viewport_size({"width": 390, "height": 780})
    eventually(lambda: page.locator("#after").bounding_box()["width"] == box["width"])  # still all of the photo
    swipe(page, (middle - 90, y, -60, 0), (middle, y, 60, 0))  # a pinch whose one finger is on the wipe
    photo = page.locator("#after").bounding_box()
    assert photo["width"] > 1.5 * box["width"]
    expect(wipe).to_have_attribute("aria-valuenow", "27")
    swipe(page, (x, y, -90, 0))
    assert page.locator("#after").bounding_box()["x"] == photo["x"] - 90
    expect(title).to_have_text("Coloring 2")
