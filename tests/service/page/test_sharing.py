"""Pictures in the system's share sheet, which headless browsers do not have."""

import re

import pytest
from playwright.sync_api import Page, expect

from benchmarks.figures.steps import keep
from tests.service.files import opened
from tests.service.page.steps import resize
from tests.service.page.test_accessibility import PHONE, check

SHEET = """navigator.canShare = ({files}) => files.every(({type}) => type.startsWith('image/'));
window.failures = [];
window.shared = [];
navigator.share = async ({files}) => {
  shared.push(files);
  if (failures.length) throw new DOMException('', failures.shift());
};"""


@pytest.fixture
def phone(open_page, upload) -> Page:
    """The page on a phone, with its first two colorings kept, and the second in full view."""
    page = open_page(None, **PHONE)
    page.add_init_script(SHEET)
    page.goto("/")
    upload(page)
    keep(page, 0, 1)
    page.locator(".card.new .open").nth(1).click()
    return page


def shared(page: Page) -> list[tuple[str, bytes]]:
    """Return name and content of the files that were shared last."""
    files = page.evaluate("""() => Promise.all(shared.at(-1).map(async (file) =>
      [file.name, [...new Uint8Array(await file.arrayBuffer())]]))""")
    return [(name, bytes(content)) for name, content in files]


def test_one_in_full_view_and_all_that_are_kept(phone, service) -> None:
    service.colorizer.forget()
    phone.click("#share-picture")
    [(name, content)] = shared(phone)
    assert name.endswith("-1.jpg")
    assert (opened(content).format, opened(content).size) == ("JPEG", (300, 200))
    assert not service.colorizer.options  # the picture at hand is shared
    phone.check("#beside")
    phone.select_option("#format", "png")
    with phone.expect_response("**/v1/colorizations"):
        phone.click("#share-picture")
    expect(phone.locator("#share-picture")).to_be_enabled()
    [(name, content)] = shared(phone)
    assert name.endswith("-1-beside.png")
    assert (opened(content).format, opened(content).size) == ("PNG", (600, 200))
    phone.click("#viewer-close")
    phone.click("#share-kept")
    expect(phone.locator("#share-kept")).to_be_enabled()
    assert [name[-6:] for name, _ in shared(phone)] == ["-0.jpg", "-1.jpg"]
    expect(phone.locator("#notices > *")).to_have_count(0)


def test_closing_the_sheet_is_no_error_but_a_refusal_is_and_a_slow_file_takes_a_further_press(phone, service) -> None:
    """Browsers open the sheet only within some seconds of a press."""
    phone.evaluate("failures.push('AbortError', 'AbortError', 'NotAllowedError', 'NotAllowedError')")
    for words in ("", "It may take fewer or smaller pictures. Download them instead."):
        for button in ("#share-picture", "#share-kept"):
            phone.click(button)
            expect(phone.locator(button)).to_be_enabled()
            if button == "#share-picture":
                expect(phone.locator("#tools-error")).to_have_text(re.compile(words or "^$"))
                phone.click("#viewer-close")
        expect(phone.locator("#notices")).to_have_text(re.compile(words or "^$"))
        phone.locator(".card.new .open").nth(1).click()
    assert phone.evaluate("shared.length") == 4
    phone.evaluate("Object.defineProperty(navigator, 'userActivation', {value: {isActive: false}})")
    phone.select_option("#format", "png")
    phone.click("#share-picture")
    expect(phone.locator("#notices")).to_contain_text("Ready to share. Press Share again.")
    assert phone.evaluate("shared.length") == 4
    service.colorizer.forget()
    phone.evaluate("navigator.userActivation.isActive = true")
    phone.click("#share-picture")
    expect(phone.locator("#share-picture")).to_be_enabled()
    [(name, _)] = shared(phone)
    assert name.endswith("-1.png")
    assert not service.colorizer.options
    phone.click("#share-picture")  # it is not kept for longer
    expect(phone.locator("#share-picture")).to_be_enabled()
    assert len(service.colorizer.options) == 1


def test_the_buttons_fit_a_phone(phone) -> None:
    check(phone)
    for width in (360, 320):
        resize(phone, width, 740)
        tops = {action.bounding_box()["y"] for action in phone.locator("#actions button").all()}
        assert len(tops) == 1
    phone.click("#viewer-close")
    check(phone)
    assert (
        phone.locator("#kept-pictures").bounding_box()["width"]
        > phone.locator("#kept-pictures li").first.bounding_box()["width"]
    )
