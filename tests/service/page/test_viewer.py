"""Full view: wipe, gray photo, zoom, pan, facts, looks, downloads and variations."""

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from skimage.color import rgb2lab

from tests.service.files import opened
from tests.service.page.steps import add_more, downloaded, drag, make_steps, more_like


@pytest.fixture
def viewed(page, upload) -> Page:
    """The page with its second coloring in full view."""
    upload(page)
    page.locator(".card.new .open").nth(1).click()
    expect(page.locator("#viewer")).to_be_visible()
    return page


def screen_chroma(page: Page, x: float, y: float) -> int:
    """Return the distance from gray of the screen's color at a position."""
    pixel = opened(page.screenshot()).convert("RGB").getpixel((round(x), round(y)))
    return max(pixel) - min(pixel)


PINCH = """(scales) => scales.map((scale, i) => {
  const event = new Event(i ? 'gesturechange' : 'gesturestart', { bubbles: true, cancelable: true });
  return document.getElementById('stage').dispatchEvent(Object.assign(event, { scale, clientX: 400, clientY: 300 }));
})"""
"""A pinch on a trackpad, as Safari tells it. Returns of each event whether the browser would act on it, too."""
NO_WEBP = """() => {
  const { toBlob } = HTMLCanvasElement.prototype;
  HTMLCanvasElement.prototype.toBlob = function (done, type, quality) {
    toBlob.call(this, done, type === 'image/webp' ? 'image/png' : type, quality);
  };
}"""
"""Safari writes a PNG instead."""


def transform(page: Page) -> str:
    return page.locator("#after").evaluate("image => image.style.transform")


def test_gray_photo_zoom_pan_and_wipe(viewed, color_photo) -> None:
    """The gray photo is shown while the button is held; the wipe starts in the middle for each photo."""
    box = viewed.locator("#stage").bounding_box()
    left, right, y = box["x"] + 0.25 * box["width"], box["x"] + 0.75 * box["width"], box["y"] + 0.4 * box["height"]
    keyboard, mouse = viewed.keyboard, viewed.mouse
    for press, release in ((lambda: keyboard.down(" "), lambda: keyboard.up(" ")), (mouse.down, mouse.up)):
        press()
        expect(viewed.locator("#stage.peeking")).to_be_visible()
        assert screen_chroma(viewed, right, y) <= 2  # the file is gray; the screen may round
        release()
        expect(viewed.locator("#stage.peeking")).to_have_count(0)
        assert screen_chroma(viewed, right, y) > 5
        mouse.move(right, y)
    keyboard.down(" ")
    expect(viewed.locator("#stage.peeking")).to_be_visible()
    viewed.evaluate("dispatchEvent(new Event('blur'))")  # to another window, which gets the key's release
    expect(viewed.locator("#stage.peeking")).to_have_count(0)
    keyboard.up(" ")
    fitted = transform(viewed)
    viewed.locator("#stage").press("1")
    expect(viewed.locator("#zoom-percent")).to_have_text("100 %")
    for _ in range(8):
        viewed.click("#zoom-in")
    large = transform(viewed)
    viewed.locator("#stage").press("Shift+ArrowRight")
    moved = transform(viewed)
    assert moved != large
    drag(viewed, box["x"] + 400, box["y"] + 200, 30, 20)
    assert transform(viewed) not in (large, moved)
    mouse.wheel(0, -200)
    expect(viewed.locator("#zoom-percent")).not_to_have_text("596 %")
    viewed.click("#zoom-fit")
    assert transform(viewed) == fitted
    viewed.locator("#stage").press("1")
    assert viewed.evaluate(PINCH, [1, 1.25, 1.5]) == [False] * 3  # the page itself does not zoom
    expect(viewed.locator("#zoom-percent")).to_have_text("150 %")
    viewed.click("#zoom-fit")
    expect(viewed.locator("#wipe")).to_have_attribute("aria-valuenow", "50")
    assert screen_chroma(viewed, left, y) <= 2
    assert screen_chroma(viewed, right, y) > 5
    handle = viewed.locator("#wipe span").bounding_box()
    x, middle = handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2
    drag(viewed, x, middle, box["x"] - x)
    assert screen_chroma(viewed, left, y) > 5
    viewed.locator("#wipe").press("End")
    expect(viewed.locator("#wipe")).to_have_attribute("aria-valuetext", "all gray")
    assert screen_chroma(viewed, right, y) <= 2
    viewed.click("#next")
    expect(viewed.locator("#wipe")).to_have_attribute("aria-valuenow", "100")  # stays for colorings of one photo
    viewed.locator("#next").dblclick()
    assert transform(viewed) == fitted
    viewed.click("#viewer-close")
    viewed.set_input_files("#files", color_photo)
    expect(viewed.locator("#strip .photo")).to_have_count(2)
    expect(viewed.locator(".card.new")).to_have_count(4)
    viewed.locator(".card.new .open").first.click()
    expect(viewed.locator("#wipe")).to_have_attribute("aria-valuenow", "50")


def test_facts_how_likely_the_colors_are_among_all_that_have_come_and_why_there_is_no_look(viewed) -> None:
    expect(viewed.locator("#chance")).to_have_text(
        "The model finds these colors likely: of this photo's 4 colorings, 1 is likelier."
    )
    facts = viewed.locator("#facts")
    expect(facts).to_be_hidden()
    viewed.locator("#sample-tools summary").click()
    expect(facts).to_contain_text("2.625")  # of the fake's sample with index 1
    expect(facts).to_contain_text("300 × 200")
    viewed.keyboard.press("Escape")
    expect(viewed.locator("#viewer")).to_be_hidden()
    expect(viewed.locator(".card.new .open").nth(1)).to_be_focused()
    add_more(viewed, 8)
    viewed.locator(".card.new .open").nth(3).click()
    expect(viewed.locator("#chance")).to_contain_text("of this photo's 8 colorings, 6 are likelier")
    viewed.evaluate("""() => {
      const { getContext } = HTMLCanvasElement.prototype;
      HTMLCanvasElement.prototype.getContext = function (kind, ...how) {
        return kind === 'webgl' ? null : getContext.call(this, kind, ...how);
      };
    }""")
    viewed.locator("#saturation").fill("0.5")
    expect(viewed.locator("#tools-error")).to_contain_text("no WebGL, which saturation and warmth need")
    viewed.click("#viewer-close")
    viewed.click("#download-all")
    expect(viewed.locator("#notices")).to_contain_text("no WebGL, which saturation and warmth need")


def test_pixels_that_the_browser_hides_become_no_noise(viewed) -> None:
    """Firefox with resistFingerprinting gives random pixels, until the user allows the page to read them."""
    viewed.evaluate("""() => {
      const { prototype } = CanvasRenderingContext2D;
      const { getImageData } = prototype;
      prototype.getImageData = function (...where) {
        const image = getImageData.apply(this, where);
        crypto.getRandomValues(image.data);
        return image;
      };
      window.allow = () => Object.assign(prototype, { getImageData });
    }""")
    error, thumbnail = viewed.locator("#tools-error"), viewed.locator(".card.new img").nth(1)
    plain = thumbnail.get_attribute("src")
    viewed.locator("#saturation").fill("0.5")
    expect(error).to_contain_text("Allow this page to use canvas data")
    expect(viewed.locator("#after-look")).to_be_hidden()
    viewed.check("#beside")
    viewed.click("#download")
    expect(error).to_contain_text("Allow this page to use canvas data")
    viewed.click("#fix")
    viewed.click("#hint-add")
    expect(viewed.locator("#palette")).to_have_attribute("data-lightness", "50")
    viewed.click("#palette-close")
    viewed.click("#fix-done")
    expect(thumbnail).to_have_attribute("src", plain)
    viewed.evaluate("allow()")
    name, _ = downloaded(viewed, "#download")
    assert "beside" in name
    viewed.click("#keep")
    expect(thumbnail).not_to_have_attribute("src", plain)


def test_going_back_to_the_page_resets_how_files_are_made(viewed) -> None:
    """Browsers restore what was chosen, but not that PNG disables the quality; Firefox after a reload, too."""
    viewed.select_option("#format", "png")
    viewed.check("#beside")
    viewed.goto("/docs")
    viewed.go_back()
    viewed.locator(".card.new .open").first.click()
    expect(viewed.locator("#format")).to_have_value("jpeg")
    expect(viewed.locator("#beside")).not_to_be_checked()
    expect(viewed.locator("#quality")).to_be_enabled()


def test_keys_work_after_every_press(viewed) -> None:
    title, stage = viewed.locator("#viewer-title"), viewed.locator("#stage")
    viewed.keyboard.press("Control+z")  # of its photo
    expect(viewed.locator("#viewer")).to_be_hidden()
    expect(viewed.locator("#welcome")).to_be_visible()
    viewed.keyboard.press("Control+Shift+z")
    viewed.locator(".card.new .open").nth(1).click()
    viewed.click("#next")
    expect(title).to_have_text("Coloring 3")
    for key, number in (("ArrowLeft", 2), ("ArrowLeft", 1), ("ArrowLeft", 4), ("ArrowRight", 1), ("PageDown", 2)):
        viewed.keyboard.press(key)
        expect(title).to_have_text(f"Coloring {number}")
    viewed.locator("#wipe").press("ArrowRight")  # arrow keys move the wipe there
    expect(title).to_have_text("Coloring 2")
    expect(viewed.locator("#wipe")).to_have_attribute("aria-valuenow", "52")
    viewed.click("#keep")
    viewed.keyboard.press("ArrowRight")
    viewed.keyboard.down(" ")
    expect(viewed.locator("#stage.peeking")).to_be_visible()
    viewed.keyboard.up(" ")
    expect(title).to_have_text("Coloring 3")
    expect(viewed.locator("#kept-pictures li")).to_have_count(1)
    viewed.fill("#warmth", "0.5")
    viewed.locator("#look-reset").press("Enter")
    expect(stage).to_be_focused()
    viewed.locator("#fix").press("Enter")
    expect(stage).to_be_focused()
    viewed.locator("#hint-add").press("Enter")
    viewed.keyboard.press("Escape")
    expect(stage).to_be_focused()
    viewed.locator("#fix-done").press("Enter")
    viewed.keyboard.press("ArrowLeft")
    expect(title).to_have_text("Coloring 2")
    viewed.keyboard.press("1")
    expect(viewed.locator("#zoom-percent")).to_have_text("100 %")
    viewed.keyboard.press("Shift+Equal")  # where + needs the shift key
    expect(viewed.locator("#zoom-percent")).to_have_text("125 %")
    viewed.keyboard.press("Shift+ArrowLeft")  # pans
    expect(title).to_have_text("Coloring 2")


def test_download(viewed, upload, service, tmp_path) -> None:
    for kind, quality, requests in (("JPEG", 90, 0), ("WEBP", 30, 1), ("PNG", 90, 1)):
        service.colorizer.forget()
        viewed.locator("#quality").fill(str(quality))  # before the format, as PNG has none
        viewed.select_option("#format", kind.lower())
        name, content = downloaded(viewed, "#download")
        assert (opened(content).format, opened(content).size) == (kind, (300, 200))
        assert name.startswith("bridge-seed-")
        asked = service.colorizer.options  # the JPEG at hand is used; for other formats, only this sample is made again
        assert [(each.n, each.offset) for each in asked] == [(1, 1)] * requests
    expect(viewed.locator("#share-picture")).to_be_hidden()  # where the system does not share
    viewed.check("#beside")
    both = downloaded_lab(viewed)
    assert both.shape == (200, 600, 3)
    assert np.abs(both[:, :300, 1:]).max() < 1.5
    assert np.abs(both[:, 300:, 1:]).mean() > 1.5  # above the chroma of any gray pixel
    assert np.abs(both[:, :300, 0] - both[:, 300:, 0]).max() < 1
    path = tmp_path / "cutout.png"
    cutout = Image.new("LA", (300, 200), (90, 0))
    cutout.putpixel((0, 0), (90, 1))  # alpha that is 0 everywhere would not count
    cutout.save(path)
    upload(viewed, path)
    viewed.locator(".card.new .open").first.click()
    viewed.select_option("#format", "jpeg")
    viewed.fill("#saturation", "0.5")
    for beside in (False, True):  # transparent parts are white in a JPEG, as on the screen
        viewed.locator("#beside").set_checked(beside)
        _, content = downloaded(viewed, "#download")
        assert all(low >= 253 for low, _ in opened(content).getextrema())


def test_a_browser_that_cannot_write_webp_says_what_it_writes_instead(viewed) -> None:
    viewed.evaluate(NO_WEBP)
    viewed.select_option("#format", "webp")
    assert downloaded(viewed, "#download")[0].endswith(".webp")  # the service wrote it
    expect(viewed.locator("#notices")).to_be_empty()
    viewed.fill("#saturation", "0.5")
    name, content = downloaded(viewed, "#download")
    assert name.endswith(".png")
    assert opened(content).format == "PNG"
    expect(viewed.locator("#notices")).to_have_text("Your browser cannot write WebP files, so this one is a PNG.")


def test_more_like_this_looks_like_it_and_says_why_its_colors_cannot_be_fixed(viewed, service) -> None:
    expect(viewed.locator("#fix-not")).to_be_hidden()
    seed = service.colorizer.options[0].seed
    viewed.fill("#saturation", "0")
    viewed.fill("#strength", "0.4")
    more_like(viewed, "coloring 2")
    expect(viewed.locator(".card.source")).to_contain_text("Source: coloring 2")
    first = service.colorizer.options[-1]
    assert (first.seed, first.index, first.strength) == (seed, 1, 0.4)
    expect(viewed.locator("#colorize")).to_have_text("4 more like it")
    expect(viewed.locator("#source-note")).to_have_text("“More like this” is as safe or bold as its source.")
    add_more(viewed, 8)
    second = service.colorizer.options[-1]
    assert (first.seed, first.index, first.strength) == (second.seed, second.index, second.strength)
    assert first.noise_seed != second.noise_seed
    for i in (0, 6):
        viewed.locator(".card.new .open").nth(i).click()
        expect(viewed.locator("#saturation-out")).to_have_text("0 %")
        viewed.select_option("#format", "png")
        assert np.abs(downloaded_lab(viewed)[..., 1:]).max() < 1.5  # gray
        viewed.click("#look-reset")
        expect(viewed.locator("#saturation-out")).to_have_text("100 %")
        assert np.abs(downloaded_lab(viewed)[..., 1:]).mean() > 1.5
        viewed.click("#viewer-close")
    assert service.colorizer.options[-1].saturation == 1  # the look is the browser's
    viewed.locator(".card.new .open").nth(0).click()  # a variation has no name, so its picture is the reference
    more_like(viewed, "variation 1")
    expect(viewed.locator("#history li")).to_have_count(3)
    assert service.colorizer.options[-1].weights == pytest.approx([(1 - 0.4**2) ** 0.5] * 4)
    assert service.colorizer.references[-1].shape == (200, 300, 3)
    viewed.locator(".card.new .open").nth(0).click()
    expect(viewed.locator("#fix")).to_be_hidden()
    expect(viewed.locator("#fix-not")).to_be_visible()


def downloaded_lab(page: Page) -> np.ndarray:
    _, content = downloaded(page, "#download")
    return rgb2lab(np.asarray(opened(content).convert("RGB")))


def test_saturation_and_warmth_keep_the_lightness_and_steps_lead_from_look_to_look(viewed) -> None:
    viewed.select_option("#format", "png")
    before = downloaded_lab(viewed)
    viewed.fill("#saturation", "0.5")
    after = downloaded_lab(viewed)
    assert np.abs(after[..., 0] - before[..., 0]).max() < 0.6  # of 8 bits
    chroma_before = np.abs(before[..., 1:]).max(axis=2)
    inside = chroma_before >= chroma_before.max() / 2  # for any color of the seed
    assert np.abs(after[..., 1:] - 0.5 * before[..., 1:])[inside].max() < 1.5
    viewed.fill("#warmth", "1")
    warm = downloaded_lab(viewed)
    assert np.abs(warm[..., 0] - before[..., 0]).max() < 1
    middle = (before[..., 0] > 40) & (before[..., 0] < 70)
    assert np.median((warm - after)[..., 2][middle]) == pytest.approx(17.7, abs=1)
    assert np.median((warm - after)[..., 1][middle]) == pytest.approx(2.4, abs=1)
    viewed.click("#look-reset")
    assert np.abs(downloaded_lab(viewed) - before).max() == 0
    viewed.fill("#saturation", "2")
    viewed.click("#keep")
    viewed.click("#next")
    viewed.fill("#warmth", "1")
    viewed.click("#keep")
    viewed.click("#viewer-close")
    make_steps(viewed, 5)
    for i, saturation, warmth in ((0, "200 %", "0"), (2, "150 %", "+50"), (4, "100 %", "+100")):
        viewed.locator(".card.new .open").nth(i).click()
        expect(viewed.locator("#saturation-out")).to_have_text(saturation)
        expect(viewed.locator("#warmth-out")).to_have_text(warmth)
        viewed.click("#viewer-close")


def test_a_look_is_seen_at_once_and_on_its_card_and_of_many_the_last_alone_is_made(viewed, color_photo) -> None:
    """A held key sets one look after another, and each takes seconds for a large photo."""
    plain = viewed.locator("#after").get_attribute("src")
    drag = "slider => { slider.value = 0; slider.dispatchEvent(new Event('%s')); }"
    viewed.locator("#saturation").evaluate(drag % "input")
    expect(viewed.locator("#after-look")).to_be_visible()
    box = viewed.locator("#stage").bounding_box()
    x, y = box["x"] + 0.75 * box["width"], box["y"] + 0.4 * box["height"]
    assert screen_chroma(viewed, x, y) <= 2
    viewed.locator("#saturation").evaluate(drag % "change")
    expect(viewed.locator("#after-look")).to_be_hidden()  # the finished picture has arrived
    assert viewed.locator("#after").get_attribute("src") != plain
    assert screen_chroma(viewed, x, y) <= 2
    viewed.keyboard.press("Escape")
    expect(viewed.locator(".card.new img").nth(1)).not_to_have_attribute("src", plain)
    viewed.keyboard.press("Control+z")
    expect(viewed.locator(".card.new img").nth(1)).to_have_attribute("src", plain)
    viewed.set_input_files("#files", color_photo)
    expect(viewed.locator("#strip img:not(.gray)")).to_have_count(2)
    viewed.locator("#strip .photo").first.click()
    viewed.locator(".card.new .open").first.click()
    plain = viewed.locator("#after").get_attribute("src")
    viewed.evaluate("""() => {
      const toBlob = HTMLCanvasElement.prototype.toBlob;
      HTMLCanvasElement.prototype.toBlob = function (...args) {
        window.made = (window.made ?? 0) + 1;
        toBlob.apply(this, args);
      };
      const slider = document.getElementById('saturation');
      for (slider.value = 1.5; slider.value > 0.5; slider.value -= 0.25) slider.onchange();
    }""")
    expect(viewed.locator("#after")).not_to_have_attribute("src", plain)
    assert viewed.evaluate("window.made") == 1
    seen = viewed.locator("#after").get_attribute("src")
    viewed.click("#fix")
    for thumbnail in ("#history img", "#strip img", "#fix-colorings img"):
        expect(viewed.locator(thumbnail).first).to_have_attribute("src", seen)


def test_pictures_with_a_look_share_a_compiled_program_until_it_is_lost(open_page) -> None:
    page = open_page("/page/look.js", ready=False)
    found = page.evaluate("""async () => {
      const { lookFile } = await import('/page/look.js');
      const { getContext } = HTMLCanvasElement.prototype;
      const used = new Set();
      HTMLCanvasElement.prototype.getContext = function (kind, ...more) {
        const context = getContext.call(this, kind, ...more);
        if (kind === 'webgl') used.add(context);
        return context;
      };
      const photo = await (await fetch('/page/samples/coffee.jpg')).blob();
      const colors = async () => {
        const file = await lookFile(photo, { saturation: 0.5, warmth: 0 }, 'png');
        return String(new Uint8Array(await file.arrayBuffer()));
      };
      const all = [await colors(), await colors(), used.size];
      for (const each of used) each.getExtension('WEBGL_lose_context').loseContext();
      return [...all, await colors(), used.size];
    }""")
    first, second, shared, third, used = found
    assert first == second == third
    assert (shared, used) == (1, 2)
