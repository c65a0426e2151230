"""Colorings of a photo: upload, progress, settings, further colorings, undo and history."""

import re
from pathlib import Path
from shutil import copy

import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect

from benchmarks.figures.steps import drop, hold, keep, release
from tests.service.fakes import Service, tint
from tests.service.page.steps import add_more, begin_anew, expect_colorings, pixels, resize, taken
from tests.service.page.stored import until_state

GRAY = 129.65  # the mean of the photo
SLOW_IMAGES = """() => {
  const { set } = Object.getOwnPropertyDescriptor(HTMLImageElement.prototype, 'src');
  window.Image = class extends Image {
    set src(url) { setTimeout(() => set.call(this, url), 200) }
  };
}"""
"""The browser takes its time to open a photo, as one that is busy does."""


def color_of(page: Page, index: int) -> tuple[int, ...]:
    """Return the mean color of a coloring in the grid."""
    return tuple(pixels(page.locator(".card.new .open img").nth(index), 1))


def expect_colors(page: Page, service: Service) -> None:
    """Expect the fake's colors for seeds and indices in the grid, in order; two may be equal by chance."""
    made = [(each.seed, each.offset + i, each.temperature) for each in service.colorizer.options for i in range(each.n)]
    assert len(set(made)) == len(made) == page.locator(".card.new").count()
    for at, name in enumerate(made):
        np.testing.assert_allclose(color_of(page, at)[:3], GRAY + tint(*name), atol=8)


def test_gray_at_once_then_colorings_and_how_likely_they_are_then_more(page, photo, service) -> None:
    """One request makes the first four. Each *more* has a new seed, below the others, which stay unchanged.

    The fake's samples have 2.5 bits, and an eighth more for each index.
    """
    held = hold(page, "colorizations", times=1)
    page.set_input_files("#files", photo)
    expect(page.locator(".card")).to_have_count(5)  # the gray photo, and places for four
    expect(page.locator(".card.new")).to_have_count(0)
    gray = page.locator(".card .open img.gray")
    assert gray.evaluate("image => image.decode().then(() => [image.naturalWidth, image.naturalHeight])") == [300, 200]
    expect(page.locator("#progress-text")).to_have_text("0 of 4")
    taken(page, held).continue_()
    expect_colorings(page, 4)
    expect(page.locator("#status")).to_have_text("4 colorings are ready")
    assert [(each.n, each.offset) for each in service.colorizer.options] == [(4, 0)]  # one upload
    expect_colors(page, service)
    expect(page.locator(".card .likelihood")).to_have_text(["very likely", "likely", "likely", "unusual"])
    expect(page.locator("#cards")).not_to_contain_text("bits", use_inner_text=True)
    explained = page.get_by_text(
        re.compile("other colorings: the words are relative, .* These take 2.5 bits per dimension")
    )
    expect(explained).to_be_hidden()
    page.locator(".card .likelihood").first.click()
    expect(explained).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#colorize")).to_have_text("4 more")
    page.locator("#cards").evaluate("""cards => {
      window.gone = 0;
      new MutationObserver((all) => {
        for (const each of all) window.gone += each.removedNodes.length;
      }).observe(cards, {childList: true});
    }""")
    first = page.locator(".card.new").first.element_handle()
    add_more(page, 8)
    page.locator(".card.more .open").click()
    expect(page.locator(".card.new")).to_have_count(12)
    expect_colors(page, service)
    assert len({each.seed for each in service.colorizer.options}) == 3
    assert first.evaluate("card => card.isConnected")
    assert page.evaluate("window.gone") <= 2  # only the last card, to make room
    expect(page.locator(".card.new .title").nth(8)).to_have_text("Coloring 9")
    expect(page.locator("#history li")).to_have_count(1)
    page.keyboard.press("Control+z")
    expect(page.locator(".card.new")).to_have_count(8)


def test_settings_reach_the_service_and_at_the_safe_end_there_is_one_coloring(page, upload, service) -> None:
    """At temperature 0, more colorings would be equal."""
    upload(page)
    expect(page.locator("#boldness-out")).to_have_text("Balanced")
    expect(page.locator("#boldness-words")).to_have_text("as the model recommends")
    page.fill("#boldness", "0")
    expect(page.locator("#boldness-words")).to_contain_text("one coloring, as more would look the same")
    page.click("#colorize")
    expect(page.locator("#history li")).to_have_count(2)
    expect_colorings(page, 1)
    expect(page.locator("#colorize")).to_be_disabled()
    expect(page.locator(".card.more")).to_have_count(0)
    made = len(service.colorizer.options)
    page.locator("#number").press("Enter")
    page.locator(".card.new .open").click()
    expect(page.locator("#vary")).to_be_disabled()
    expect(page.locator("#vary-not")).to_be_visible()
    page.click("#viewer-close")
    assert len(service.colorizer.options) == made
    page.fill("#boldness", "0.4")
    expect(page.locator("#colorize")).to_be_enabled()
    add_more(page, 4)
    page.fill("#number", "3")
    page.fill("#boldness", "1.2")
    expect(page.locator("#boldness-out")).to_have_text("Bold")
    expect(page.locator("#temperature")).to_be_hidden()  # numbers are under Details
    page.get_by_text("Details").first.click()
    expect(page.locator("#temperature")).to_have_value("1.2")
    page.fill("#temperature", "1.5")
    page.locator("#temperature").blur()
    expect(page.locator("#boldness-out")).to_have_text("Wild")
    page.fill("#seed", "77")
    page.locator("#seed").blur()
    expect(page.locator("#colorize")).to_have_text("Colorize")
    page.click("#colorize")
    expect(page.locator("#run-facts")).to_have_text("Wild")
    page.click("#run-facts")
    expect(page.get_by_text("Temperature 1.5, seed 77")).to_be_visible()
    expect(page.locator(".card.new")).to_have_count(3)
    options = service.colorizer.options[-1]
    assert (options.n, options.offset, options.seed, options.temperature) == (3, 0, 77, 1.5)


def test_more_may_be_asked_for_before_the_first_have_come(open_page, photo, service) -> None:
    """More may also be requested for a photo added before the model is known."""
    page = open_page(None)
    models = hold(page, "models")
    page.goto("/")
    held = hold(page, "colorizations", times=1)
    page.set_input_files("#files", photo)
    expect(page.locator(".card.pending.working")).to_have_count(4)
    release(page, "models", models)
    expect(page.locator("#model")).not_to_be_empty()
    for count in (8, 12):
        expect(page.locator("#colorize")).to_have_text("4 more")
        page.click("#colorize")
        expect(page.locator(".card.pending")).to_have_count(count)
    taken(page, held).continue_()
    expect(page.locator(".card.new")).to_have_count(12)
    assert [each.temperature for each in service.colorizer.options] == [None] * 3
    assert len({each.seed for each in service.colorizer.options}) == 3
    expect(page.locator("#history li")).to_have_count(1)


def test_a_set_seed_ends_at_its_last_coloring(open_page, upload, color_photo, service) -> None:
    """The seed ends at any temperature, also between the steps of its field under *Details*."""
    page = open_page("/#seed=5&temperature=0.83&n=16")
    page.evaluate(SLOW_IMAGES)  # the number per request depends on the photo's size
    upload(page, color_photo, colorings=16)
    page.fill("#number", "15")
    for count in (31, 46, 61):
        add_more(page, count)
    expect(page.locator("#colorize")).to_have_text("3 more")
    add_more(page, 64)
    made = [(each.seed, each.offset, each.n) for each in service.colorizer.options]
    assert made == [(5, 0, 16), (5, 16, 15), (5, 31, 15), (5, 46, 15), (5, 61, 3)]
    assert {each.temperature for each in service.colorizer.options} == {0.83}
    expect(page.locator("#colorize")).to_be_disabled()
    expect(page.locator(".card.more")).to_have_count(0)
    expect(page.locator("#seed-note")).to_contain_text("Seed 5 has no further colorings.")
    page.get_by_text("Details").first.click()
    page.fill("#seed", "")
    page.locator("#seed").blur()
    expect(page.locator("#colorize")).to_have_text("15 more")


def test_undo_and_history(page, upload) -> None:
    upload(page)
    press_by_place = """([shiftKey]) => document.body.dispatchEvent(
      new KeyboardEvent('keydown', {key: 'я', code: 'KeyZ', ctrlKey: true, shiftKey, bubbles: true}))"""
    page.evaluate(press_by_place, [False])
    expect(page.locator("#welcome")).to_be_visible()
    page.evaluate(press_by_place, [True])
    expect(page.locator(".card.new")).to_have_count(4)
    page.get_by_role("button", name="Remove bridge.png").click()
    expect(page.locator("#welcome")).to_be_visible()
    page.click("#undo")
    expect(page.locator(".card.new")).to_have_count(4)
    color = color_of(page, 0)
    page.fill("#boldness", "0.4")
    page.click("#colorize")
    expect(page.locator("#history li")).to_have_count(2)
    expect(page.locator(".card.new")).to_have_count(4)
    assert color_of(page, 0) != color
    page.keyboard.press("Control+z")
    assert color_of(page, 0) == color
    page.click("#redo")
    expect(page.locator("#run-facts")).to_have_text("Very safe")
    page.locator("#history button").last.click()  # the first run
    expect(page.locator("#boldness-out")).to_have_text("Balanced")
    expect(page.locator("#history [aria-current=true]")).to_have_count(1)
    assert color_of(page, 0) == color


def test_a_file_that_no_browser_shows(open_page, upload, tmp_path, service, monkeypatch) -> None:
    """A coloring replaces the photo in the view, since it has the same lightness.

    The browser does not know the size, so the first request has the largest n that suits any photo.
    """
    monkeypatch.setitem(service.settings, "max_pixels", 5000)
    monkeypatch.setitem(service.settings, "max_output_pixels", 16_800)
    page = open_page()
    path = tmp_path / "scan.tiff"
    Image.new("L", (60, 70), 120).save(path)
    upload(page, path)
    assert [(each.offset, each.n) for each in service.colorizer.options] == [(0, 3), (3, 1)]
    gray = page.locator(".card .open img.gray")
    assert gray.evaluate("image => image.decode().then(() => [image.naturalWidth, image.naturalHeight])") == [60, 70]
    page.locator(".card .open").first.click()
    expect(page.locator("#hint-tools")).to_be_visible()
    page.click("#viewer-close")
    keep(page, 0, 1)
    until_state(page, "view.kept.length === 2")
    page.reload()
    page.click("#compare-open")
    expect(page.locator("#steps-out")).to_have_text("4")  # the service's maximum for such a photo
    page.click("#interpolate")
    expect(page.locator(".card.new")).to_have_count(4)
    expect(page.locator(".card.new .foot").last).to_contain_text("Step 4 of 4")


def test_drops_and_pastes(page, photo, tmp_path) -> None:
    """The drop target is shown, a folder adds its photos, and a picture of the page adds none."""
    inner, empty = tmp_path / "holiday" / "beach", tmp_path / "empty"
    inner.mkdir(parents=True)
    empty.mkdir()
    for i in range(120):  # more than a browser lists at once
        (inner / f".{i}").write_text("hidden")
    for path in (inner / "a10.png", inner / "a9.png"):
        copy(photo, path)
    for name in ("notes.txt", "LICENSE"):  # the second gets no message
        (inner.parent / name).write_text("not a photo")
    session = page.context.new_cdp_session(page)
    for folders in ([empty], [inner.parent, photo]):
        data = {"items": [], "files": [str(each) for each in folders], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            session.send("Input.dispatchDragEvent", {"type": kind, "x": 400, "y": 400, "data": data})
    expect(page.locator("#strip .photo")).to_have_count(3)
    titles = [each.get_attribute("title") for each in page.locator("#strip .photo").all()]
    assert titles == ["a9.png", "a10.png", photo.name]
    first, second = page.get_by_role("alert").all_inner_texts()
    assert first == "There is no file in this folder."
    assert second.startswith("Not a photo: notes.txt. Photos are")
    begin_anew(page)
    hint = "getComputedStyle(document.querySelector('main'), '::after').display"
    assert page.evaluate(hint) != "grid"
    drop(page, "#welcome", photo, ("dragover",))
    assert page.evaluate(hint) == "grid"
    drop(page, "#welcome", photo, ("dragleave",))
    assert page.evaluate(hint) != "grid"
    drop(page, "#welcome", photo)
    expect(page.locator(".card.new")).to_have_count(4)
    drop(page, "#cards", photo, ("dragover",))
    assert page.evaluate(hint) == "grid"
    drop(page, "#reference-zone", photo, ("dragover",))
    assert page.evaluate(hint) == "none"
    assert page.locator("#reference-zone").evaluate("zone => getComputedStyle(zone).outlineStyle") == "solid"
    begin_anew(page)
    script = """(bytes) => {
      const clipboardData = new DataTransfer();
      clipboardData.items.add(new File([new Uint8Array(bytes)], 'image.png', {type: 'image/png'}));
      window.dispatchEvent(new ClipboardEvent('paste', {clipboardData}));
    }"""
    page.evaluate(script, list(photo.read_bytes()))
    expect(page.get_by_alt_text("image.png, the gray photo")).to_be_visible()
    expect(page.locator(".card.new")).to_have_count(4)
    page.locator(".card.new img").first.dispatch_event("dragstart")
    drop(page, "#cards", photo)
    expect(page.locator("#strip .photo")).to_have_count(1)
    page.mouse.move(20, 20)  # the drag is over
    drop(page, "#cards", photo)
    expect(page.locator("#strip .photo")).to_have_count(2)


def test_a_long_name_stays_within_the_window(page, photo, tmp_path) -> None:
    resize(page, 390, 780)
    paths = [Path(copy(photo, tmp_path / f"{'long_' * 30}{i}.png")) for i in range(2)]
    page.set_input_files("#files", paths)
    expect(page.locator("#run-facts")).to_contain_text(paths[0].name)
    text = tmp_path / f"{'long_' * 30}.txt"
    text.write_text("no photo")
    page.set_input_files("#files", text)
    expect(page.get_by_role("alert")).to_contain_text(text.name)
    alert = page.get_by_role("alert").bounding_box()
    assert alert["x"] + alert["width"] <= 390
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    resize(page, 360, 740)
    expect(page.locator("#download-all")).to_be_visible()
    assert page.locator("#run-facts").bounding_box()["width"] > 300  # not narrowed by the button beside the title


def test_cards_are_seen_at_once_and_hold_what_is_on_them_whatever_the_photo(page, upload, tmp_path) -> None:
    def boxes() -> list[dict[str, float]]:
        return [card.bounding_box() for card in page.locator(".card").all()]

    fits = "all => all.every((each) => each.scrollWidth <= each.clientWidth)"
    sizes = (((800, 200), (390, 844)), ((900, 100), (320, 560)), ((100, 600), (1280, 800)), ((200, 300), (900, 700)))
    for size, (width, height) in sizes:
        Image.new("L", size, 90).save(tmp_path / "long.png")
        resize(page, width, height)
        upload(page, tmp_path / "long.png")
        assert page.locator(".card .foot, .card:has(.fix) .words").evaluate_all(fits)
        expect(page.locator(".card .fix")).to_be_visible()
        more = page.locator(".card.more .open")
        assert more.evaluate("each => each.scrollHeight <= each.clientHeight")
        for card in page.locator(".card .open").all():
            assert card.bounding_box()["height"] <= height
        begin_anew(page)
    resize(page, 1280, 800)
    upload(page)
    assert all(box["y"] + box["height"] <= 800 and box["width"] >= 200 for box in boxes())
    resize(page, 1920, 1080)
    add_more(page, 8)
    assert all(box["y"] + box["height"] <= 1080 and box["width"] >= 200 for box in boxes())
    resize(page, 390, 780)
    expect(page.locator("#cards")).to_have_css("grid-template-columns", re.compile(r"^1\d\d(\.\d+)?px"))  # two in a row
    assert all(box["x"] + box["width"] <= 390 for box in boxes())
