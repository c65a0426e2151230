"""The full view: wipe, zoom and pan, facts, downloads, variations and interpolation."""

import io

import pytest
from PIL import Image
from playwright.sync_api import Page, expect


@pytest.fixture
def viewed(page, upload) -> Page:
    """The page with its second coloring in full view."""
    upload(page)
    page.locator(".card.new .open").nth(1).click()
    expect(page.locator("#viewer")).to_be_visible()
    return page


def screen_pixel(page: Page, x: float, y: float) -> tuple[int, int, int]:
    image = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    return image.getpixel((round(x), round(y)))


def chroma(pixel: tuple[int, int, int]) -> int:
    return max(pixel) - min(pixel)


def test_wipe_uncovers_the_grey_photo(viewed) -> None:
    box = viewed.locator("#stage").bounding_box()
    left, right, y = box["x"] + 0.25 * box["width"], box["x"] + 0.75 * box["width"], box["y"] + 0.4 * box["height"]
    assert chroma(screen_pixel(viewed, left, y)) > 5
    handle = viewed.locator("#wipe span").bounding_box()
    x, middle = handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2
    viewed.mouse.move(x, middle)
    viewed.mouse.down()
    viewed.mouse.move(box["x"] + 0.5 * box["width"], middle, steps=4)
    viewed.mouse.up()
    expect(viewed.locator("#wipe")).to_have_attribute("aria-valuenow", "50")
    assert chroma(screen_pixel(viewed, left, y)) <= 2  # the file is grey; the screen may round
    assert chroma(screen_pixel(viewed, right, y)) > 5
    viewed.locator("#wipe").press("End")
    expect(viewed.locator("#wipe")).to_have_attribute("aria-valuetext", "all grey")
    assert chroma(screen_pixel(viewed, right, y)) <= 2


def transform(page: Page) -> str:
    return page.locator("#after").evaluate("image => image.style.transform")


def test_zoom_and_pan(viewed) -> None:
    fitted = transform(viewed)
    viewed.locator("#stage").press("1")
    expect(viewed.locator("#zoom-percent")).to_have_text("100 %")
    for _ in range(8):
        viewed.click("#zoom-in")
    large = transform(viewed)
    viewed.locator("#stage").press("ArrowRight")
    moved = transform(viewed)
    assert moved != large
    box = viewed.locator("#stage").bounding_box()
    viewed.mouse.move(box["x"] + 400, box["y"] + 200)
    viewed.mouse.down()
    viewed.mouse.move(box["x"] + 430, box["y"] + 220, steps=3)
    viewed.mouse.up()
    assert transform(viewed) not in (large, moved)
    viewed.mouse.wheel(0, -200)
    expect(viewed.locator("#zoom-percent")).not_to_have_text("596 %")
    viewed.click("#zoom-fit")
    assert transform(viewed) == fitted


def test_facts_and_neighbours(viewed) -> None:
    facts = viewed.locator("#facts")
    expect(facts).to_contain_text("2.625 bits/dim")  # of the fake's sample 1, drawn as the second of its part
    expect(facts).to_contain_text("300 × 200")
    viewed.click("#next")
    expect(viewed.locator("#viewer-title")).to_have_text("Coloring 3")
    viewed.keyboard.press("PageUp")
    expect(viewed.locator("#viewer-title")).to_have_text("Coloring 2")
    viewed.keyboard.press("Escape")
    expect(viewed.locator("#viewer")).to_be_hidden()
    expect(viewed.locator(".card.new .open").nth(1)).to_be_focused()


@pytest.mark.parametrize(
    ("file_format", "quality", "kind", "requests"),
    [("jpeg", 90, "JPEG", 0), ("png", 90, "PNG", 1), ("webp", 30, "WEBP", 1)],
)
def test_download(viewed, service, tmp_path, file_format: str, quality: int, kind: str, requests: int) -> None:
    before = len(service.colorizer.options)
    viewed.locator("#quality").fill(str(quality))
    viewed.select_option("#format", file_format)
    with viewed.expect_download() as started:
        viewed.click("#download")
    path = tmp_path / started.value.suggested_filename
    started.value.save_as(path)
    with Image.open(path) as image:
        assert (image.format, image.size) == (kind, (300, 200))
    assert path.name.startswith("bridge-seed-")
    asked = service.colorizer.options[before:]  # the JPEG at hand is the one; else this sample alone is made anew
    assert [(each.n, each.offset) for each in asked] == [(1, 1)] * requests


def test_more_like_this(viewed, service) -> None:
    seed = viewed.input_value("#seed")
    viewed.locator("#strength").fill("0.3")
    viewed.click("#vary")
    expect(viewed.locator("#run-title")).to_have_text("More like coloring 2")
    expect(viewed.locator(".card.new")).to_have_count(4)
    options = service.colorizer.options[-1]
    assert (options.origin.seed, options.origin.index, options.strength) == (int(seed), 1, 0.3)
    expect(viewed.locator("#run-progress")).to_be_hidden()

    viewed.locator(".card.new .open").nth(0).click()  # of a variation: it has no name, so its picture is the reference
    viewed.click("#vary")
    expect(viewed.locator("#run-title")).to_have_text("More like coloring 1")
    expect(viewed.locator("#history li")).to_have_count(3)
    expect(viewed.locator("#run-progress")).to_be_hidden()
    assert service.colorizer.options[-1].weights == pytest.approx([(1 - 0.3**2) ** 0.5] * 4)
    assert service.colorizer.references[-1].shape == (200, 300, 3)


def test_interpolate_between_two_marked(page, upload, service) -> None:
    upload(page)
    marks = page.locator(".card.new .mark")
    places = [card.bounding_box() for card in page.locator(".card").all()]
    marks.nth(3).click()
    expect(page.locator("#marked-words")).to_contain_text("Coloring 4 is marked")
    expect(page.locator("#interpolate")).to_be_hidden()
    assert [card.bounding_box() for card in page.locator(".card").all()] == places
    marks.nth(0).click()
    expect(marks.nth(0)).to_have_attribute("aria-pressed", "true")
    page.locator("#steps").fill("6")
    page.click("#interpolate")
    expect(page.locator(".card.new")).to_have_count(6)
    options = service.colorizer.options[-1]
    assert (options.start.index, options.end.index, options.steps) == (3, 0, 6)
    expect(page.locator("#marked")).to_be_hidden()
    expect(page.locator(".card.new .foot").first).to_contain_text("Step 1 of 6")
    page.locator(".card.new .mark").nth(1).click()
    page.locator(".card.new .mark").nth(2).click()
    expect(page.locator("#marked-words")).to_contain_text("One of the two must be drawn from a seed")
