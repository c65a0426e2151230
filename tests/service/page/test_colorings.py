"""From a photo to its colorings: upload, progress, the queue, settings, undo, history and links."""

import re
from pathlib import Path
from shutil import copy

import pytest
from PIL import Image
from playwright.sync_api import Page, Route, expect


def color_of(page: Page, index: int) -> tuple[int, ...]:
    """Return the mean colour of a coloring in the grid."""
    script = """async (image) => {
      await image.decode();
      const context = Object.assign(document.createElement('canvas'), {width: 1, height: 1}).getContext('2d');
      context.drawImage(image, 0, 0, 1, 1);
      return [...context.getImageData(0, 0, 1, 1).data];
    }"""
    return tuple(page.locator(".card.new .open img").nth(index).evaluate(script))


def slide(page: Page, name: str, value: float) -> None:
    page.locator(f"#{name}").fill(str(value))
    page.locator(f"#{name}").dispatch_event("change")


def test_grey_at_once_then_colorings_as_they_come(page, photo, service) -> None:
    held: list[Route] = []
    page.route("**/v1/colorizations", lambda route: held.append(route))
    page.set_input_files("#files", photo)
    expect(page.locator(".card")).to_have_count(5)  # the grey photo, and places for four
    expect(page.locator(".card.new")).to_have_count(0)
    grey = page.locator(".card .open img.grey")
    assert grey.evaluate("image => image.decode().then(() => [image.naturalWidth, image.naturalHeight])") == [300, 200]
    for made in (2, 4):
        for _ in range(500):
            if held:
                break
            page.wait_for_timeout(10)
        held.pop().continue_()
        expect(page.locator(".card.new")).to_have_count(made)
        if made < 4:
            expect(page.locator("#progress-text")).to_have_text("2 of 4")
            expect(page.locator("#progress")).to_have_js_property("value", 2)
            expect(page.locator(".card.pending")).to_have_count(2)
    expect(page.locator("#run-progress")).to_be_hidden()
    expect(page.locator("#status")).to_have_text("4 colorings are ready")
    assert [(each.n, each.offset) for each in service.colorizer.options] == [(2, 0), (2, 2)]
    assert len({each.seed for each in service.colorizer.options}) == 1
    assert len({color_of(page, i) for i in range(4)}) == 4


def test_settings_reach_the_service(page, upload, service) -> None:
    upload(page)
    expect(page.locator("#temperature-words")).to_have_text("as the model recommends")
    slide(page, "number", 3)
    slide(page, "temperature", 1.5)
    expect(page.locator("#temperature-words")).to_have_text("beyond what photos look like")
    page.fill("#seed", "77")
    page.click("#colorize")
    expect(page.locator("#run-facts")).to_have_text("temperature 1.5 · seed 77")
    expect(page.locator(".card.new")).to_have_count(3)
    assert [(each.n, each.offset, each.seed, each.temperature) for each in service.colorizer.options[2:]] == [
        (2, 0, 77, 1.5),
        (1, 2, 77, 1.5),
    ]


def test_die_rolls_another_seed_and_undo_brings_the_former_back(page, upload) -> None:
    upload(page)
    seed, color = page.input_value("#seed"), color_of(page, 0)
    page.click("#die")
    expect(page.locator("#history li")).to_have_count(2)
    expect(page.locator(".card.new")).to_have_count(4)
    assert page.input_value("#seed") != seed
    assert color_of(page, 0) != color
    page.keyboard.press("Control+z")
    expect(page.locator("#seed")).to_have_value(seed)
    assert color_of(page, 0) == color
    page.click("#redo")
    expect(page.locator("#seed")).not_to_have_value(seed)
    page.locator("#history button").last.click()  # the first run
    expect(page.locator("#seed")).to_have_value(seed)
    expect(page.locator("#history [aria-current=true]")).to_have_count(1)


def test_several_photos_queue_up(page, upload, photo, tmp_path) -> None:
    others = [Path(copy(photo, tmp_path / name)) for name in ("a.png", "b.png")]
    upload(page, photo, *others)
    expect(page.locator("#strip .photo")).to_have_count(3)
    expect(page.locator("#strip .busy, #strip .waiting")).to_have_count(0)
    page.locator("#strip .photo").nth(2).click()
    expect(page.get_by_alt_text("b.png, the grey photo")).to_be_visible()
    expect(page.locator(".card.new")).to_have_count(4)


def test_a_removed_photo_comes_back_by_undo(page, upload) -> None:
    upload(page)
    page.get_by_role("button", name="Remove bridge.png").click()
    expect(page.locator("#welcome")).to_be_visible()
    page.click("#undo")
    expect(page.locator(".card.new")).to_have_count(4)


def test_a_file_that_no_browser_shows(page, upload, tmp_path) -> None:
    """Its colorings have its lightness, so one of them stands for it."""
    path = tmp_path / "scan.tiff"
    Image.new("L", (60, 40), 120).save(path)
    upload(page, path)
    grey = page.locator(".card .open img.grey")
    assert grey.evaluate("image => image.decode().then(() => [image.naturalWidth, image.naturalHeight])") == [60, 40]
    page.locator(".card .open").first.click()
    expect(page.locator("#hint-tools")).to_be_visible()


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_other_ways_in(page, photo, drop, way: str) -> None:
    if way == "drop":
        drop(page, "#welcome", photo)
    else:
        script = """(bytes) => {
          const clipboardData = new DataTransfer();
          clipboardData.items.add(new File([new Uint8Array(bytes)], 'image.png', {type: 'image/png'}));
          window.dispatchEvent(new ClipboardEvent('paste', {clipboardData}));
        }"""
        page.evaluate(script, list(photo.read_bytes()))
    expect(page.locator(".card.new")).to_have_count(4)


def test_a_link_opens_the_same_coloring(open_page, upload) -> None:
    first = open_page(permissions=["clipboard-read", "clipboard-write"])
    upload(first)
    color = color_of(first, 2)
    first.locator(".card.new .open").nth(2).click()
    first.click("#share")
    expect(first.locator("#share-note")).to_contain_text("Copied")
    link = first.evaluate("navigator.clipboard.readText()")
    assert re.search(r"#seed=\d+&temperature=0\.75&n=4&index=2$", link)

    second = open_page(at="/" + link[link.index("#") :])
    expect(second.locator("#link-note")).to_contain_text("Coloring 3 of seed")
    upload(second)
    expect(second.locator("#viewer-title")).to_have_text("Coloring 3")
    assert color_of(second, 2) == color


def test_nonsense_in_a_link_does_no_harm(open_page, upload) -> None:
    page = open_page(at="/#seed=-5&temperature=NaN&n=1e9&index=<script>")
    expect(page.locator("#number")).to_have_value("16")
    expect(page.locator("#seed")).to_have_value("0")
    upload(page, colorings=16)


@pytest.mark.parametrize(("width", "height", "n"), [(1280, 800, 4), (1920, 1080, 8)])
def test_all_colorings_are_seen_at_once(open_page, upload, width: int, height: int, n: int) -> None:
    page = open_page(at=f"/#n={n}", viewport={"width": width, "height": height})
    upload(page, colorings=n)
    boxes = [card.bounding_box() for card in page.locator(".card").all()]
    assert all(box["y"] + box["height"] <= height for box in boxes)
    assert all(box["width"] >= 200 for box in boxes)
    page.set_viewport_size({"width": 390, "height": 780})
    expect(page.locator("#cards")).to_have_css("grid-template-columns", re.compile(r"^1\d\d(\.\d+)?px"))  # two in a row
    narrow = [card.bounding_box() for card in page.locator(".card").all()]
    assert all(box["x"] + box["width"] <= 390 for box in narrow)
