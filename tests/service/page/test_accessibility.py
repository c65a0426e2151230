"""Accessibility: axe-core, keyboard, phones, light and dark colors."""

import re
from pathlib import Path
from shutil import copy

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from PIL import Image
from playwright.sync_api import Page, expect

from benchmarks.figures.steps import drop, hold, keep, release
from tests.service.page.steps import FAILED, add_more, borrow, expect_colorings, make_steps, resize, swipe, taken
from tests.service.waiting import eventually

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
TABLET = {"viewport": {"width": 768, "height": 1024}, "has_touch": True}


def findings(page: Page) -> list[str]:
    """List axe's findings of any impact, by all of its rules."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    violations = page.evaluate("axe.run().then(({ violations }) => violations)")  # the rest takes a third of the time
    return [
        f"{each['id']} ({each['impact']}): {node['html'][:120]} {node.get('failureSummary', '')}"
        for each in violations
        for node in each["nodes"]
    ]


def wide(page: Page) -> list[str]:
    """List elements that extend beyond the window's right edge."""
    return page.evaluate("""() => [...document.querySelectorAll('body *')].filter((each) => each.checkVisibility()
      && each.getBoundingClientRect().right > innerWidth + 1 && !each.closest('.strip, .away, .stage')
    ).map((each) => each.outerHTML.slice(0, 80))""")


CUT = """() => [...document.querySelectorAll('button, .button, label, h2, h3')].filter((each) => each.checkVisibility()
  && !each.closest('.away, .strip')
  && (each.scrollWidth > each.clientWidth + 1 || each.getBoundingClientRect().right > innerWidth + 1)
).map((each) => each.outerHTML.slice(0, 80))"""
"""Elements wider than their place, or that stick out to the right of the window."""

SCREENS = (  # covers each size and each scheme; slow tests cover every pair
    pytest.param("light", {}, id="desktop, light"),
    pytest.param("dark", PHONE, id="phone, dark"),
    pytest.param("dark", {}, id="desktop, dark", marks=pytest.mark.slow),
    pytest.param("light", PHONE, id="phone, light", marks=pytest.mark.slow),
)


@pytest.mark.parametrize(("scheme", "device"), [*SCREENS, pytest.param("light", TABLET, id="tablet")])
def test_every_view_is_accessible_and_fits(open_page, upload, photo, scheme: str, device: dict[str, object]) -> None:
    page = open_page(demo=True, ideas=True, color_scheme=scheme, **device)
    check(page)
    upload(page)
    keep(page, 0, 1)
    page.get_by_text("Details").first.click()
    check(page)
    page.locator(".card .likelihood").first.click()
    check(page)
    page.click("#compare-open")
    page.locator("#compare .likelihood").last.click()
    check(page)
    page.click("#compare-close")
    page.locator(".card.new .open").nth(0).click()
    page.locator("#sample-tools summary").click()
    check(page)
    page.click("#fix")
    page.click("#hint-add")
    expect(page.locator("#ideas button")).to_have_count(1)
    check(page)
    page.locator("#palette-swatches button").first.click()
    check(page)
    page.click("#viewer-close")
    page.set_input_files("#files", [photo, photo])
    expect(page.locator("#album-bar")).to_be_hidden()
    expect(page.locator(".card.new")).to_have_count(4)
    check(page)


@pytest.mark.parametrize(("scheme", "device"), SCREENS)
def test_every_state_is_accessible(
    open_page, photo, color_photo, tmp_path, scheme: str, device: dict[str, object]
) -> None:
    page = open_page(None, expected=FAILED, color_scheme=scheme, **device)
    problem = {"status": 503, "code": "loading", "detail": "the model is being loaded"}
    held = hold(page, "models")
    page.goto("/#seed=3&n=4&index=1&model=older-1.12345678")
    taken(page, held).fulfill(status=503, json=problem, headers={"Retry-After": "1"})
    expect(page.locator("#model-note")).to_be_visible()
    check(page)  # an opened link while the service starts
    release(page, "models", held)
    expect(page.locator("#link-note")).to_contain_text("colors will differ")
    check(page)  # another model
    hold(page, "colorizations")
    page.set_input_files("#files", photo)
    expect(page.locator(".card.pending.working")).to_have_count(4)
    check(page)  # colorings are being made
    page.click("#stop")
    expect(page.locator("#run-error")).to_be_visible()
    check(page)  # stopped
    page.unroute("**/v1/colorizations")
    page.click("#retry")
    expect(page.locator("#viewer-title")).to_have_text("Coloring 2")
    check(page)  # the link's coloring, with a message above it
    page.locator("#saturation").fill("0.5")
    page.click("#vary")
    expect(page.locator(".card.source")).to_be_visible()
    expect(page.locator(".card.new")).to_have_count(4)
    check(page)  # variations, adjusted, with their source
    keep(page, 0, 1)
    page.click("#compare-open")
    expect(page.locator("#between")).to_be_hidden()
    expect(page.locator("#between-not")).to_be_visible()
    check(page)  # two variations, which allow no steps between them
    page.click("#compare-close")
    page.locator("#history button").last.click()
    page.click("#keep-none")
    keep(page, 0, 1)
    make_steps(page, 5)
    check(page)  # the steps between two
    drop(page, "body", photo, ("dragover",))
    expect(page.locator("body.dragging")).to_be_visible()
    check(page)  # a file is dragged over the page
    borrow(page, color_photo)
    page.locator(".card.new .open").first.click()
    check(page)  # a coloring without a link
    page.click("#viewer-close")
    page.route("**/v1/colorizations", lambda route: route.abort())
    page.evaluate("document.getElementById('notices').replaceChildren()")  # on a phone, they cover the next button
    page.locator("#history button").last.click()
    page.click("#colorize")
    expect(page.locator("#retry")).to_be_visible()
    check(page)  # an error
    odd = tmp_path / "scan.tiff"
    Image.new("L", (60, 40), 120).save(odd)
    page.set_input_files("#files", [odd, photo])
    expect(page.locator("#strip .bad")).to_have_count(3)
    check(page)  # a file that browsers cannot show, in an album that failed
    missing = {"status": 401, "json": {"status": 401, "code": "missing_key"}}
    page.route("**/v1/colorizations", lambda route: route.fulfill(**missing))
    page.click("#album-resume")
    expect(page.locator("#key-dialog")).to_be_visible()
    check(page)  # the dialog for an API key


def test_on_a_phone_nothing_is_hidden_or_without_a_name_and_what_is_new_comes_into_view(
    open_page, upload, photo, tmp_path
) -> None:
    """Requested colorings and errors scroll into view; scrolling with a finger moves no slider."""
    page = open_page(expected=FAILED, **PHONE)
    expect(page.get_by_text("Choose photos", exact=True)).to_be_in_viewport()
    expect(page.locator("#hero")).to_be_in_viewport()
    expect(page.get_by_text("Or drop photos")).to_be_hidden()
    upload(page)
    for words in (page.locator("#run-facts"), *page.locator(".card .likelihood").all()):
        note = page.locator(f"#{words.get_attribute('aria-describedby')}")
        expect(note).to_be_hidden()
        words.tap()
        expect(note).to_be_in_viewport(ratio=1)
        above, below = sorted((words.bounding_box(), note.bounding_box()), key=lambda box: box["y"])
        assert 0 < below["y"] - above["y"] - above["height"] < 20  # next to its text, not over it
    page.locator("h1").tap()
    expect(page.locator(".explanation:popover-open")).to_have_count(0)
    size = "each => parseFloat(getComputedStyle(each).fontSize)"
    assert page.locator(".card .fix").evaluate(size) > 10
    for field in page.locator("select, input:not([type=range], [type=file], [type=checkbox], [type=color])").all():
        assert field.evaluate(size) >= 16  # iPhones zoom in on smaller ones
    expect(page.locator("#reference-words")).to_have_text("Choose a color photo", use_inner_text=True)
    page.locator(".card.new .open").first.click()
    assert page.locator("#viewer-title").evaluate("each => each.scrollWidth <= each.clientWidth")
    for action in page.locator("#actions button:not([hidden])").all():
        expect(action).to_be_in_viewport(ratio=1)
    page.click("#fix")
    expect(page.locator("#fix-done")).to_be_in_viewport(ratio=1)
    page.click("#viewer-close")
    scroll(page)
    more = [Path(copy(photo, tmp_path / f"{i}.png")) for i in range(4)]
    page.set_input_files("#files", more)
    expect(page.locator("#album-bar")).to_be_hidden()
    for each in page.locator("#strip .photo").all():
        expect(each).to_be_in_viewport(ratio=1)
    keep(page, 0, 1)
    page.set_input_files("#files", {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"x"})
    notice, bar = (page.locator(each).bounding_box() for each in ("#notices > *", "#kept"))
    assert notice["y"] + notice["height"] <= bar["y"]
    resize(page, 320, 568)  # a small phone
    expect(page.locator("#kept-pictures img").first).to_be_in_viewport(ratio=1)


def scroll(page: Page) -> None:
    """Scroll away and request more colorings, also by touch, until a request fails; then try again."""
    page.locator("#history").scroll_into_view_if_needed()
    expect(page.locator(".card.new").first).not_to_be_in_viewport()
    add_more(page, 8)
    expect(page.locator(".card .open").nth(5)).to_be_in_viewport(ratio=1)

    def move_finger(dx: float, dy: float) -> None:
        page.locator("#boldness").scroll_into_view_if_needed()
        box = page.locator("#boldness").bounding_box()
        swipe(page, (box["x"] + box["width"] / 4, box["y"] + box["height"] / 2, dx, dy))

    def is_still() -> bool:
        before = page.evaluate("scrollY")
        page.wait_for_timeout(200)
        return page.evaluate("scrollY") == before

    eventually(is_still)
    page.locator("#boldness").scroll_into_view_if_needed()
    scrolled = page.evaluate("scrollY")
    words = page.locator("#boldness-out").inner_text()
    move_finger(0, -88)
    eventually(lambda: page.evaluate("scrollY") > scrolled)
    expect(page.locator("#boldness-out")).to_have_text(words)
    expect(page.locator("#colorize")).to_have_text("4 more")
    eventually(is_still)  # a page keeps scrolling for a while after the touch
    move_finger(-55, 0)
    expect(page.locator("#boldness-out")).to_have_text("Very safe")
    page.route("**/v1/colorizations", lambda route: route.abort())
    page.locator("#history").scroll_into_view_if_needed()
    page.click("#colorize")
    expect(page.locator("#run-error")).to_be_in_viewport(ratio=1)
    page.unroute("**/v1/colorizations")
    page.click("#retry")
    expect_colorings(page, 4)


def test_twice_as_large_text_grows_everywhere_and_fits(open_page, upload) -> None:
    """The size is set in the browser: all text grows, and the layout is that of a smaller window."""

    def check_size(words: str) -> None:
        assert page.evaluate(CUT) == []
        for each in page.get_by_text(words, exact=True).locator("visible=true").all():
            assert each.evaluate("each => parseFloat(getComputedStyle(each).fontSize)") > 22

    for device in ({}, PHONE):
        page = open_page(None, **device)
        page.context.new_cdp_session(page).send("Page.setFontSizes", {"fontSizes": {"standard": 32}})
        page.goto("/")
        check_size("Choose photos")
        upload(page)
        check_size("How many")
        keep(page, 0, 1)
        check_size("Download kept")
        page.click("#compare-open")
        check_size("Steps")
        page.click("#compare-close")
        page.locator(".card.new .open").first.click()
        check_size("Saturation")


def check(page: Page) -> None:
    assert not findings(page)
    assert not wide(page)


def brightness(page: Page) -> float:
    """Return the lightness of the page's background, 0 … 1."""
    return float(re.match(r"oklch\(([\d.]+)", page.evaluate("getComputedStyle(document.body).backgroundColor"))[1])


def test_light_and_dark_follow_the_system_until_told(open_page) -> None:
    page = open_page(color_scheme="dark")
    assert brightness(page) < 0.3
    page.emulate_media(color_scheme="light")
    assert brightness(page) > 0.9
    page.click("#theme")
    assert brightness(page) < 0.3
    page.reload()
    assert brightness(page) < 0.3


def test_all_of_it_by_keyboard(open_page, photo) -> None:
    """Choose, explain, open, wipe, download and close without a pointer."""
    page = open_page(demo=True, reduced_motion="no-preference")

    def tab_to(selector: str, key: str = "Tab") -> None:
        for _ in range(20):
            page.keyboard.press(key)
            if page.locator(selector).first.evaluate("each => each === document.activeElement"):
                return
        pytest.fail(f"no way to {selector} by {key}")

    # Listen from the start: the browser may handle the key before it is told to report the file chooser.
    page.on("filechooser", lambda _: None)
    tab_to("#files")
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Space")
    chooser.value.set_files(photo)
    expect(page.locator(".card.new")).to_have_count(4)
    tab_to(".card.new .likelihood")
    page.keyboard.press("Enter")
    likelihood, note = (page.locator(f".card.new {each}").first for each in (".likelihood", ".explanation"))
    expect(note).to_contain_text("How likely the model finds these colors")
    expect(note).to_be_visible()
    page.keyboard.press("Escape")
    expect(note).to_be_hidden()
    expect(likelihood).to_be_focused()
    expect(likelihood).to_have_accessible_description(re.compile("How likely the model finds"))
    page.keyboard.press("Shift+Tab")
    expect(page.locator(".card.new .open").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#stage")).to_be_focused()
    tab_to("#wipe")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#wipe")).to_have_attribute("aria-valuenow", "52")
    tab_to("#download")
    with page.expect_download():
        page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(page.locator(".card.new .open").first).to_be_focused()
    tab_to("#files", "Shift+Tab")  # a second photo, beside the first


def test_full_view_by_ear_and_in_forced_colors(open_page, upload) -> None:
    """Screen readers get nothing from outside a dialog. Elements that show a color keep it."""
    page = open_page(forced_colors="active")
    upload(page)
    page.locator(".card.new .open").first.click()
    expect(page.locator("#viewer #status")).to_have_count(1)  # before its text, which may be missed otherwise
    page.keyboard.press("ArrowRight")
    expect(page.locator("#viewer [aria-live=polite]")).to_have_text("Coloring 2")
    page.click("#fix")
    page.click("#hint-add")
    colors = page.locator("#palette-swatches i").evaluate_all("all => all.map((i) => getComputedStyle(i).background)")
    assert len(set(colors)) == len(colors) > 1
    page.locator("#status").evaluate("each => each.textContent = ''")
    page.locator("#palette-swatches button").first.click()
    for mark in ("#dots .dot", "#hint-list i"):
        assert page.locator(mark).evaluate("each => getComputedStyle(each).background") == colors[0]
    expect(page.locator("#viewer #status")).to_have_text("4 colorings are ready")
    page.click("#viewer-close")
    expect(page.locator("body > #status")).to_have_count(1)


def test_focus_stays_where_a_button_goes(page, upload, photo) -> None:
    upload(page)
    with page.expect_download():
        page.locator("#download-all").press("Enter")
    expect(page.locator("#download-all")).to_be_focused()
    page.get_by_role("button", name="Remove bridge.png").press("Enter")
    expect(page.locator("#undo")).to_be_focused()
    page.locator("#undo").press("Enter")
    page.locator("#undo").press("Enter")
    expect(page.locator("#redo")).to_be_focused()
    page.locator("#redo").press("Enter")
    title = page.locator("#run-title")
    held = hold(page, "colorizations", times=1)
    page.locator(".card.more .open").press("Enter")
    expect(title).to_be_focused()
    taken(page, held)
    for button in ("#stop", "#retry"):
        page.locator(button).press("Enter")
        expect(title).to_be_focused()
    expect(page.locator(".card.new")).to_have_count(8)
    page.locator(".card.new .open").first.press("Enter")
    page.locator("#vary").press("Enter")
    expect(title).to_have_text("More like coloring 1")
    expect(title).to_be_focused()
    expect(page.locator(".card.new")).to_have_count(4)
    hold(page, "colorizations", times=1)
    page.set_input_files("#files", [photo, photo])
    for button in ("#album-cancel", "#album-resume"):
        page.locator(button).press("Enter")
        expect(title).to_be_focused()


def test_files_of_the_page(service) -> None:
    folder = Path("service/page")
    paths = [path for path in folder.rglob("*") if path.is_file()]
    assert {path.suffix for path in paths} == {".html", ".css", ".js", ".svg", ".jpg"}
    for path in paths:
        url = f"/page/{path.relative_to(folder)}"
        answer = service.client.get(url)
        assert (answer.status_code, answer.content) == (200, path.read_bytes())
        again = service.client.get(url, headers={"If-None-Match": answer.headers["etag"]})
        assert again.status_code == 304
    for name in ("no.js", "..%2fsite.py", "%2e%2e/site.py", "samples", "samples/no.jpg", "samples/../../site.py"):
        answer = service.client.get(f"/page/{name}")
        assert answer.status_code == 404
        assert answer.json()["code"] == "not_found"
