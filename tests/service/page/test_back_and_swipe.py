"""The browser's Back button, and swipes on a touch screen."""

from playwright.sync_api import Page, expect

from benchmarks.figures.steps import hold, keep, release
from tests.service.page.steps import open_link, swipe, taken
from tests.service.waiting import eventually


def until_on_the_page(page: Page) -> None:
    """Wait until the browser is at the page's own entry of its history, and no dialog is open."""
    eventually(lambda: page.evaluate("history.state === 'page' && !document.querySelector('dialog[open]')"))


def test_back_closes_what_covers_the_page_and_no_entries_pile_up(page, upload) -> None:
    upload(page)
    keep(page, 0, 1)
    opened = (page.locator(".card.new .open").first, page.locator("#compare-open"))
    opened[0].click()
    length = page.evaluate("history.length")
    page.click("#fix")
    page.click("#hint-add")
    page.go_back()
    expect(page.locator("#palette")).to_be_hidden()
    expect(page.locator("#viewer")).to_be_visible()
    page.go_back()
    until_on_the_page(page)
    for button in opened:
        button.click()
        page.go_back()
        until_on_the_page(page)
        page.go_forward()
        until_on_the_page(page)
        button.click()
        page.keyboard.press("Escape")
        until_on_the_page(page)
        button.click()
        page.reload()
        expect(page.locator(".card.new")).to_have_count(4)
        until_on_the_page(page)
    opened[0].click()
    page.set_viewport_size({"width": 360, "height": 740})
    page.click("#vary")  # its colorings are in view, and stay there
    until_on_the_page(page)
    expect(page.locator("#run-title")).to_have_text("More like coloring 1")
    assert page.evaluate("history.length") == length
    page.go_back()
    assert page.url == "about:blank"


def test_back_from_a_link_that_came_to_an_open_full_view_does_not_open_it_again(page) -> None:
    held = hold(page, "colorizations")
    open_link(page, "#seed=3&temperature=0.75&n=4&index=1&example=coffee")
    request = taken(page, held)
    page.get_by_alt_text("coffee.jpg, the gray photo").click()
    expect(page.locator("#viewer-title")).to_have_text("coffee.jpg")
    release(page, "colorizations", [request])
    expect(page.locator("#viewer-title")).to_have_text("Coloring 2")
    page.go_back()
    until_on_the_page(page)
    assert "#" not in page.url
    page.reload()
    expect(page.locator(".card.new")).to_have_count(4)
    expect(page.locator("#viewer")).to_be_hidden()


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
    swipe(page, (x - 200, y, 0, 0), (x, y, 0, 0))  # two fingers touch it
    page.wait_for_timeout(300)  # longer than it must be held to show the gray photo
    expect(page.locator("#stage.peeking")).to_have_count(0)
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
