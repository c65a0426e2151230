"""The note that a model made the colors, in files that the page makes."""

from xml.etree import ElementTree

import numpy as np
from PIL import Image
from playwright.sync_api import expect

from tests.service.files import SRGB, encoded, opened
from tests.service.page.steps import downloaded, unzipped

SAVE = "image => Object.assign(document.createElement('a'), {href: image.src, download: 'shown.jpg'}).click()"
EXIF = b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"
WEBP_ALPHA = 0x10  # flag in VP8X
FILES = (
    ("RGB", "JPEG", {}),
    ("RGB", "JPEG", {"exif": EXIF}),
    ("RGBA", "PNG", {}),
    ("RGB", "WEBP", {}),
    ("RGB", "WEBP", {"lossless": True}),
    ("RGBA", "WEBP", {"lossless": True}),
    ("RGBA", "WEBP", {}),
    ("RGB", "WEBP", {"icc_profile": SRGB}),
)
"""As browsers make them: those of Chromium have a profile, those of Firefox none, those of Safari have EXIF."""


def test_a_note_fits_the_files_of_any_browser(open_page) -> None:
    page = open_page("/page/note.js", ready=False)
    script = """async ([bytes, kind, text]) => {
      const { withNote } = await import('/page/note.js');
      const file = await withNote(new Blob([new Uint8Array(bytes)], {type: `image/${kind}`}), text);
      return [...new Uint8Array(await file.arrayBuffer())];
    }"""
    for mode, kind, more in FILES:
        image = Image.radial_gradient("L").resize((61, 37)).convert(mode)
        if mode == "RGBA":
            image.putalpha(image.getchannel(0))
        plain = encoded(image, kind, **more)
        for note in ("even", "odd"):  # a WebP fills up what is odd
            content = bytes(page.evaluate(script, [list(plain), kind.lower(), note]))
            noted = opened(content)
            assert kind != "WEBP" or content[20] & WEBP_ALPHA == WEBP_ALPHA * (mode == "RGBA")
            assert np.array_equal(noted, opened(plain))
            assert noted.mode == mode
            assert noted.info["xmp"] == note.encode()
            for name in ("exif", "icc_profile"):
                assert noted.info.get(name) == more.get(name)


def test_files_that_the_page_makes_say_that_a_model_made_their_colors(page, upload, service) -> None:
    """They say it in the service's own words, with the look; so do pictures saved from the screen."""
    upload(page)
    page.locator(".card.new .open").nth(1).click()
    page.click("#fix")
    page.click("#hint-add")
    page.locator("#palette-swatches button").first.click()  # its fields are quoted, so the note has other quotes
    expect(page.locator("#run-facts")).to_contain_text("1 fixed color")
    expect(page.locator("#fix-status")).to_have_text("")
    page.click("#fix-done")
    plain = page.locator("#after").get_attribute("src")
    seed = service.colorizer.options[-1].seed
    page.check("#beside")
    beside = prompt_in(downloaded(page, "#download")[1])
    assert beside.startswith(f'colorization seed={seed} index=1 temperature=0.75 hints=[{{"x": 0.5, "y": 0.5, "color"')
    page.fill("#saturation", "0.5")
    page.fill("#warmth", "-0.25")
    for kind in ("jpeg", "webp", "png"):
        page.select_option("#format", kind)
        page.set_checked("#beside", kind == "jpeg")
        assert prompt_in(downloaded(page, "#download")[1]) == f"{beside} saturation=0.5 warmth=-0.25"
    expect(page.locator("#after")).not_to_have_attribute("src", plain)
    with page.expect_download() as saved:
        page.locator("#after").evaluate(SAVE)
    assert prompt_in(saved.value.path().read_bytes()) == f"{beside} saturation=0.5 warmth=-0.25"
    page.click("#viewer-close")
    _, files = unzipped(page, "#download-all")
    assert [prompt_in(each).endswith(" warmth=-0.25") for each in files.values()] == [False, True, False, False]


def prompt_in(content: bytes) -> str:
    """Return the options in the note of a file, which says that a model made the colors."""
    image = opened(content)
    image.load()
    about = ElementTree.fromstring(image.info["xmp"])[0][0].attrib  # noqa: S314 - our own
    told = {name.partition("}")[2]: value for name, value in about.items()}
    assert told["DigitalSourceType"].endswith("/compositeWithTrainedAlgorithmicMedia")
    return told["AIPromptInformation"]
