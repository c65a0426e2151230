"""The palette of a point, its ideas from the model, and points that are moved and changed."""

import re

import pytest
from PIL import Image
from playwright.sync_api import FloatRect, Locator, Page, expect

from benchmarks.figures.steps import click_at, hold, keep, release
from tests.service.fake_colorizer import OTHER, tint
from tests.service.page.steps import (
    FAILED,
    borrow,
    drag,
    fix,
    followed,
    make_steps,
    resize,
    swipe,
    taken,
)
from tests.service.waiting import eventually

WALK = "(dot, key) => { for (let i = 0; i < 35; i++) dot.dispatchEvent(new KeyboardEvent('keydown', {key})); }"
SHOWN = "dot => dot.style.getPropertyValue('--dot')"
"""To move a point through the photo, and the color that it has there."""


def palette_beside(page: Page, x: float) -> FloatRect:
    """Check that the palette is on the stage, beside its point at x and half the photo's height; return its place."""
    expect(page.locator("#palette")).to_be_visible()
    found = ("pending-dot", "palette", "stage", "after")
    point, palette, stage, photo = (page.locator(f"#{each}").bounding_box() for each in found)
    right, bottom = palette["x"] + palette["width"], palette["y"] + palette["height"]
    assert point["x"] + point["width"] / 2 == pytest.approx(photo["x"] + x * photo["width"], abs=1)
    assert right <= point["x"] or palette["x"] >= point["x"] + point["width"]
    assert stage["x"] <= palette["x"]
    assert right <= stage["x"] + stage["width"]
    assert bottom <= stage["y"] + stage["height"]
    return palette


def test_the_palette_opens_on_a_click_alone_leaves_the_point_in_sight_and_fits_the_lightness(fixing) -> None:
    """The photo is dark on its left, where *sky* is not offered, and light on its right, where *navy* is not."""
    image = fixing.locator("#stage").bounding_box()
    x, y = image["x"] + 300, image["y"] + 300
    drag(fixing, x, y, 40, 30)
    expect(fixing.locator("#palette")).to_be_hidden()
    fixing.mouse.move(x, y)
    fixing.mouse.down()
    expect(fixing.locator("#stage.peeking")).to_be_visible()
    fixing.mouse.up()
    expect(fixing.locator("#palette")).to_be_hidden()
    for width, height, x in ((900, 700, 0.5), (844, 390, 0.5), (604, 800, 0.5), (740, 360, 0.42)):
        resize(fixing, width, height)
        click_at(fixing, x, 0.5)
        palette = palette_beside(fixing, x)
        if height < 400:  # the palette is higher than the window
            zoomed = fixing.locator("#zoom-percent").text_content()
            fixing.mouse.move(palette["x"] + 60, palette["y"] + 60)
            fixing.mouse.wheel(0, 100)
            eventually(lambda: fixing.locator("#palette").evaluate("palette => palette.scrollTop > 0"))
            expect(fixing.locator("#zoom-percent")).to_have_text(zoomed)
            resize(fixing, 700, 900)
            palette_beside(fixing, x)
        fixing.keyboard.press("Escape")
        expect(fixing.locator("#palette")).to_be_hidden()
    resize(fixing, 1280, 800)
    click_at(fixing, 0.02, 0.02)
    swatches = fixing.locator("#palette-swatches")
    expect(swatches).to_contain_text("navy")
    expect(swatches).not_to_contain_text("cream")
    fixing.keyboard.press("Escape")
    expect(fixing.locator("#palette")).to_be_hidden()
    expect(fixing.locator("#viewer")).to_be_visible()
    click_at(fixing, 0.98, 0.98)
    expect(swatches).to_contain_text("cream")
    expect(swatches).not_to_contain_text("navy")
    assert swatches.locator("button").count() <= 10
    expect(fixing.locator("#palette-note")).to_be_hidden()
    open_palette = """async (lightness) => {
      const { openPalette } = await moduleOfThePage('palette.js');
      const ideas = { x: 0, y: 0, isReady: () => false };
      openPalette({ left: 0, top: 0 }, lightness, () => {}, { used: [], ideas });
    }"""
    fixing.evaluate(open_palette, 3)
    expect(fixing.locator("#palette-note")).to_be_visible()
    expect(fixing.locator("#palette-note")).to_have_text("This point is almost black: a color hardly shows here.")
    expect(swatches).to_contain_text("navy")
    for light in ("light skin", "sky", "cream", "sand"):
        expect(swatches).not_to_contain_text(light)
    fixing.evaluate(open_palette, 38)
    expect(swatches).to_contain_text("light skin")  # in the shade
    fixing.evaluate(open_palette, 50)  # every color that things of a middle gray have
    expect(swatches.locator("button")).to_have_count(15)
    for name in ("skin", "wood", "red", "orange", "grass", "sea", "sky", "violet", "gray"):
        expect(swatches).to_contain_text(name)


def centre(dot: Locator) -> tuple[float, float]:
    box = dot.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_points_move_change_vanish_and_come_back_with_their_color(fixing, service) -> None:
    """On its way, a red point crosses light parts of the photo, where sRGB has hardly any red."""
    fixing.click("#hint-add")
    fixing.locator("#palette-swatches button").first.click()
    dot = fixing.locator(".dot").first
    expect(dot).to_be_focused()
    press = "dot => dot.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowDown', bubbles: true}))"
    dot.evaluate(f"dot => [1, 2, 3, 4].forEach(() => ({press})(dot))")  # at once, however busy
    followed(fixing, 1)
    assert len(service.colorizer.options) <= 3  # several changes are one request
    expect(fixing.locator("#history li")).to_have_count(2)
    dot.press("ArrowRight")
    expect(fixing.locator("#hint-list li")).to_contain_text("51 %, 54 %")
    x, y = centre(dot)
    drag(fixing, x, y, 100)
    expect(fixing.locator("#hint-list li")).not_to_contain_text("51 %")
    assert centre(dot)[0] == pytest.approx(x + 100, abs=2)
    dot.press("Enter")
    fixing.locator("#palette-swatches").get_by_role("button", name="grass").click()
    expect(fixing.locator("#hint-list li")).to_contain_text("grass")
    followed(fixing, 1)
    dot.press("Delete")
    followed(fixing, 0)
    fixing.keyboard.press("Control+z")
    followed(fixing, 1)
    expect(dot).to_be_visible()
    dot.click()
    fixing.click("#palette-remove")
    expect(dot).to_be_hidden()
    followed(fixing, 0)
    fix(fixing, 0.6, "red", 1)
    before = dot.evaluate(SHOWN)
    dot.evaluate(WALK, "ArrowRight")
    assert dot.evaluate(SHOWN) != before
    dot.evaluate(WALK, "ArrowLeft")
    assert dot.evaluate(SHOWN) == before
    expect(fixing.locator("#hint-list li")).to_contain_text("red")
    dot.evaluate(WALK, "ArrowRight")
    followed(fixing, 1)
    fixing.click("#fix-done")
    fixing.click("#viewer-close")
    fixing.locator("#history button").last.click()  # the colorings without it
    expect(fixing.locator(".badge")).to_be_hidden()
    fixing.locator("#history button").first.click()
    fixing.get_by_role("button", name="Fix a color", exact=True).first.click()
    expect(fixing.locator("#hint-list li")).to_contain_text("red")
    dot.evaluate(WALK, "ArrowLeft")
    assert dot.evaluate(SHOWN) == before


def test_points_take_typed_colors_those_of_the_screen_and_any_other(fixing, service) -> None:
    """Each is converted to the point's lightness. A typed one, of a uniform, say, is offered for the next point."""
    typed = fixing.locator("#palette-hex")
    click_at(fixing, 0.25, 0.5)
    zoom = fixing.locator("#zoom-percent").inner_text()
    typed.press_sequentially("#1f2a4")
    typed.press("Enter")  # too short
    expect(fixing.locator("#palette")).to_be_visible()
    typed.press_sequentially("4")
    assert typed.input_value() == "#1f2a44"
    expect(fixing.locator("#zoom-percent")).to_have_text(zoom)  # 1 and 0 are keys of the view
    typed.press("Enter")
    expect(fixing.locator("#palette")).to_be_hidden()
    followed(fixing, 1)
    expect(fixing.locator("#hint-list li")).to_contain_text("#1f2a44 (here #")
    click_at(fixing, 0.75, 0.5)
    expect(typed).to_have_value("")
    fixing.locator("#palette-swatches").get_by_role("button", name="#1f2a44").click()
    followed(fixing, 2)
    expect(fixing.locator("#hint-list li").last).to_contain_text("#1f2a44 (here #")
    for hint in service.colorizer.options[-1].hints:
        red, green, blue = hint.color
        assert blue > green > red
    fixing.locator(".dot").first.click()
    expect(typed).to_have_value("#1f2a44")
    expect(fixing.locator("#palette-color")).to_have_value("#1f2a44")
    typed.fill("C81E1E")
    typed.press("Enter")
    expect(fixing.locator("#hint-list li").first).to_contain_text("#c81e1e (here #")
    # The browser's eyedropper needs a real mouse: this one picks red, after it was canceled once with Escape.
    fixing.evaluate("""() => {
      let left = false;
      window.EyeDropper = class {
        open() {
          if (left) return Promise.resolve({ sRGBHex: '#c81e1e' });
          left = true;
          return Promise.reject(new DOMException('left', 'AbortError'));
        }
      };
    }""")
    click_at(fixing, 0.5, 0.5)
    fixing.click("#palette-pick")
    expect(fixing.locator("#palette")).to_be_visible()
    expect(fixing.locator("#hint-list li")).to_have_count(2)
    fixing.click("#palette-pick")
    expect(fixing.locator("#palette")).to_be_hidden()
    click_at(fixing, 0.4, 0.5)
    fixing.locator("#palette-color").fill("#c81e1e")
    followed(fixing, 4)
    typed_red, _, picked, chosen = service.colorizer.options[-1].hints
    for hint in (typed_red, picked, chosen):
        red, green, blue = hint.color
        assert red > green + 50
        assert red > blue + 50


def test_ideas_from_the_model_are_pictures_of_the_coloring_with_other_colors_at_the_point(
    open_page, upload, service, tmp_path
) -> None:
    """Each color is there once, and none that the point has already. A chosen one is offered for the next point."""
    Image.new("L", (1024, 640), 130).save(tmp_path / "wall.png")
    page = open_page(ideas=True)
    upload(page, tmp_path / "wall.png")
    page.locator(".card.new .open").nth(1).click()
    page.locator("#saturation").fill("0.5")
    page.click("#fix")
    coloring = service.colorizer.options[-1]
    own = (130 + tint(coloring.seed, 1, 0.75)).round().astype(int).tolist()
    service.colorizer.others = [own, OTHER, (24, 44, 96), (148, 66, 48), own, (26, 46, 97)]
    click_at(page, 0.25, 0.5)
    expect(page.locator("#ideas > *")).to_have_count(2)  # and no places that wait
    ideas = page.get_by_role("group", name="Ideas from the model").get_by_role("button")
    expect(ideas.first).to_have_accessible_name("red, #94412f")
    variations = service.colorizer.options[-1]
    assert (variations.seed, variations.index, variations.temperature) == (coloring.seed, 1, 0.75)
    assert ([each.x for each in variations.at], variations.hints) == ([pytest.approx(0.25, abs=0.01)], ())
    assert variations.saturation == 0.5
    assert service.colorizer.finishing[-1][:2] == (320, 512)  # small pictures of the whole photo
    page.get_by_role("button", name="dark blue, #182c60").click()
    followed(page, 1)
    expect(page.locator("#hint-list li")).to_contain_text(re.compile("^blue, at 25 %"))  # not dark everywhere
    (hint,) = service.colorizer.options[-1].hints
    assert hint.color == (24, 44, 96)
    click_at(page, 0.75, 0.5)
    expect(page.locator("#ideas button")).to_have_count(2)
    assert len(service.colorizer.options[-1].hints) == 1
    page.locator("#palette-swatches").get_by_role("button", name="blue").click()
    followed(page, 2)
    page.locator(".dot").first.click()
    expect(page.locator("#ideas button").first).to_be_visible()
    (other,) = service.colorizer.options[-1].hints  # without the point's own
    assert other.x == pytest.approx(0.75, abs=0.01)
    expect(page.locator("#history li")).to_have_count(2)  # ideas are no colorings of the photo
    page.keyboard.press("Escape")
    click_at(page, 0.5, 0.5)
    page.get_by_role("button", name="red, #94412f").click()
    followed(page, 3)
    click_at(page, 0.9, 0.5)
    reds = page.locator("#palette-swatches").get_by_role("button", name="red", exact=True)
    expect(reds).to_have_count(2)  # the palette's own, and that of the idea
    page.keyboard.press("Escape")
    page.click("#viewer-close")
    page.locator("#history button").last.click()
    keep(page, 0, 1)
    make_steps(page, 3)
    page.locator(".card .fix").click()  # it opens in gray: the ideas are for any coloring
    click_at(page, 0.25, 0.5)
    expect(page.locator("#ideas button").first).to_be_visible()
    assert (service.colorizer.options[-1].seed, service.colorizer.options[-1].index) == (0, 0)
    page.keyboard.press("Escape")
    page.evaluate("() => { CanvasRenderingContext2D.prototype.getImageData = () => new ImageData(4, 4); }")
    click_at(page, 0.25, 0.5)  # the browser hides the point's own color
    expect(page.locator("#ideas button").first).to_be_visible()


def test_ideas_wait_for_colorings_end_with_the_palette_and_may_be_missing(
    open_page, upload, color_photo, service
) -> None:
    page = open_page(ideas=True, expected=FAILED)
    upload(page)
    page.locator(".card .fix").click()
    drawn = hold(page, "colorizations")
    asked = hold(page, "variations")
    click_at(page, 0.75, 0.5)
    taken(page, asked)
    page.locator("#palette-swatches").get_by_role("button", name="sky").click()
    click_at(page, 0.25, 0.5)
    started = taken(page, drawn)
    expect(page.locator("#ideas i")).to_have_count(6)
    assert not asked
    release(page, "colorizations", [started])
    with page.expect_event("requestfailed"):
        taken(page, asked)
        page.keyboard.press("Escape")
    row = page.locator("#palette-ideas")
    click_at(page, 0.25, 0.5)
    problem = {"status": 429, "code": "queue_full", "detail": "later"}
    taken(page, asked).fulfill(status=429, json=problem, headers={"Retry-After": "1"})
    expect(page.locator("#palette")).to_be_visible()
    expect(row).to_be_hidden()
    expect(page.get_by_role("alert")).to_have_count(0)
    page.keyboard.press("Escape")
    page.click("#viewer-close")
    borrow(page, color_photo)
    page.locator(".card .fix").click()
    click_at(page, 0.25, 0.5)  # the service cannot draw this coloring by seed and index
    expect(row).to_be_hidden()
    page.wait_for_timeout(1100)  # after the time at which the service would have taken the refused request
    assert not asked


def test_a_new_spread_closes_the_palette_with_ideas_that_spread_otherwise(open_page, upload, service) -> None:
    page = open_page(ideas=True)
    upload(page)
    page.locator(".card .fix").click()
    fix(page, 0.75, "sky", 1)
    click_at(page, 0.25, 0.5)
    expect(page.locator("#ideas button").first).to_be_visible()
    page.locator("#hint-spread").fill("0.2")
    expect(page.locator("#palette")).to_be_hidden()
    expect(page.locator("#run-facts")).to_contain_text("1 fixed color, spread 20 %")
    expect(page.locator("#fix-status")).to_have_text("")
    click_at(page, 0.25, 0.5)
    expect(page.locator("#ideas button").first).to_be_visible()
    assert (len(service.colorizer.options[-1].at), service.colorizer.options[-1].hint_spread) == (1, 0.2)


def test_undo_closes_the_palette_of_a_point_that_it_takes_away_and_a_view_that_another_photo_replaces(
    fixing, upload, color_photo
) -> None:
    upload(fixing, color_photo)
    fixing.locator("#strip .photo").first.click()
    fixing.get_by_role("button", name="Fix a color", exact=True).first.click()
    fixing.click("#hint-add")
    fixing.locator("#palette-swatches button").first.click()
    followed(fixing, 1)
    fixing.locator(".dot").first.click()
    expect(fixing.locator("#palette")).to_be_visible()
    fixing.keyboard.press("Control+z")
    followed(fixing, 0)
    expect(fixing.locator("#palette")).to_be_hidden()
    expect(fixing.locator("#stage")).to_be_focused()
    fixing.keyboard.press("Control+Shift+z")
    followed(fixing, 1)
    fixing.keyboard.press("Control+z")
    followed(fixing, 0)
    fixing.keyboard.press("Control+z")  # back to the photo in the grid before, which would not follow fixed colors
    expect(fixing.locator("#viewer")).to_be_hidden()
    expect(fixing.locator("#strip .photo").last).to_have_attribute("aria-current", "true")


def test_a_finger_moves_a_point(open_page, upload) -> None:
    page = open_page(viewport={"width": 390, "height": 780}, has_touch=True)
    upload(page)
    page.get_by_role("button", name="Fix a color", exact=True).first.tap()
    page.locator("#hint-add").tap()
    page.locator("#palette-swatches button").first.tap()
    dot = page.locator(".dot").first
    x, y = centre(dot)
    swipe(page, (x, y, 100, 0))
    expect(page.locator("#hint-list li")).not_to_contain_text("50 %, 50 %")
    assert centre(dot)[0] == pytest.approx(x + 100, abs=2)
    expect(page.locator("#palette")).to_be_hidden()
    followed(page, 1)
    moved = page.locator("#hint-list li").inner_text()
    dot.dispatch_event("pointerup")  # the end of a press elsewhere
    expect(page.locator("#hint-list li")).to_have_text(moved)
    dot.tap()
    expect(page.locator("#palette")).to_be_visible()
