"""Errors in plain words, without any loss of work."""

import os
from itertools import product
from pathlib import Path
from shutil import copy

import pytest
from playwright.sync_api import Page, expect

from benchmarks.figures.steps import drop, hold, release
from model.errors import NonFiniteError
from service.edge.keys import add_key
from tests.service.page.steps import FAILED, begin_anew, expect_colorings, fix_a_color, taken
from tests.service.page.stored import until_state


@pytest.fixture
def page(open_page) -> Page:
    """The page, in a browser whose console may report error answers."""
    return open_page(expected=FAILED)


def test_a_file_that_is_no_photo(page, upload, tmp_path, photo) -> None:
    """The error is shown again with its photo, also after a reload."""
    broken = tmp_path / "broken.png"
    broken.write_bytes(photo.read_bytes()[:200])
    page.set_input_files("#files", broken)
    expect(page.locator("#run-error")).to_contain_text("This file is damaged")
    expect(page.locator("#retry")).to_be_hidden()  # a retry cannot help
    upload(page, photo)
    page.locator("#strip .photo").first.click()
    expect(page.locator("#run-error")).to_contain_text("This file is damaged")
    page.locator("#strip .photo").last.click()
    drop(page, "#reference-zone", broken)
    expect(page.locator("#error-detail")).to_have_text("Reference: the PNG file ends too early.")
    until_state(page, "view.runs[0].status === 'failed'")
    page.reload()
    expect(page.locator("#run-title")).to_have_text("Colors of broken.png")
    for i, part in ((1, "Reference"), (0, "Image")):
        page.locator("#strip .photo").nth(i).click()
        expect(page.locator("#error-title")).to_have_text("This file is damaged or incomplete.")
        expect(page.locator("#error-detail")).to_have_text(f"{part}: the PNG file ends too early.")
        expect(page.locator("#retry")).to_be_hidden()


def test_colorings_go_on_that_are_stopped_or_meet_no_service_or_its_error(
    page, upload, service, photo, tmp_path
) -> None:
    """Without the service, buttons keep icons. A reload sends requests again, which browsers may end just before.

    They do not go on if the file has gone.
    """
    page.context.set_offline(True)
    page.set_input_files("#files", photo)
    expect(page.locator("#error-title")).to_have_text("The service does not answer. Is it still running?")
    for icon in page.locator(".card .foot use").all():
        assert icon.evaluate("each => each.getBBox().width") > 0
    page.context.set_offline(False)
    page.reload()
    expect_colorings(page, 4)
    expect(page.locator("#run-error")).to_be_hidden()
    held = hold(page, "colorizations", times=1)
    page.click("#colorize")
    expect(page.locator(".card.pending")).to_have_count(4)
    taken(page, held)  # else the last request would be held
    page.click("#stop")
    expect(page.locator("#run-error")).to_contain_text("Stopped.")
    title, text = page.locator("#error-title"), page.locator("#run-title")
    color = "each => getComputedStyle(each).color"
    assert title.evaluate(color) == text.evaluate(color)  # not the color of an error
    page.route("**/v1/colorizations", lambda route: route.abort(), times=1)
    page.click("#retry")
    expect(page.locator("#run-error")).to_contain_text("The service does not answer.")
    assert title.evaluate(color) != text.evaluate(color)
    page.click("#retry")
    expect_colorings(page, 8)
    service.colorizer.error = NonFiniteError("the flow returned a*b* that are not finite numbers")
    page.click("#colorize")
    expect(page.locator("#run-error")).to_contain_text("Something went wrong.")
    expect(page.locator("#run-error")).to_contain_text("not finite numbers")
    expect(page.get_by_alt_text("bridge.png, the gray photo")).to_be_visible()
    service.colorizer.error = None
    page.click("#retry")
    expect_colorings(page, 12)
    expect(page.locator("#run-error")).to_be_hidden()
    expect(page.locator("#history li")).to_have_count(1)
    for name, spoil in (("gone.png", Path.unlink), ("changed.png", lambda file: os.utime(file, (0, 0)))):
        file = Path(copy(photo, tmp_path / name))
        upload(page, file)
        spoil(file)
        page.click("#colorize")
        expect(page.locator("#error-title")).to_have_text("Your browser can no longer read this file.")
        expect(page.locator("#error-detail")).to_have_text(
            f"The file {name} changed after it was chosen, or is gone. Choose it again."
        )
        expect(page.locator(".card.new")).to_have_count(4)


def test_photos_are_what_the_service_says(open_page, service, tmp_path) -> None:
    page = open_page(None, expected=FAILED)
    models = service.client.get("/v1/models").json()
    models["data"][0]["photo_formats"] = {"JPEG": [".jpg"], "GIF": [".gif"], "JPEG XL": [".jxl"]}
    page.route("**/v1/models", lambda route: route.fulfill(json=models))
    page.goto("/")
    for chooser in ("#files", "#reference"):
        expect(page.locator(chooser)).to_have_attribute("accept", "image/*,.jpg,.gif,.jxl")
    files = [tmp_path / name for name in ("a.txt", "A.JXL", "scan0001", "b.xyz")]
    for file in files:
        file.write_text("a photo or not")
    page.set_input_files("#files", files)
    expect(page.locator("#notices")).to_contain_text(
        "Not a photo: a.txt, b.xyz. Photos are JPEG, GIF or JPEG XL files."
    )
    expect(page.locator("#strip .photo")).to_have_count(2)  # the service checks a file of unknown type
    expect(page.locator("#run-title")).to_have_text("Colorings")


def test_before_the_service_says_what_it_takes(open_page, photo, tmp_path, service, monkeypatch) -> None:
    """The page does not know yet which files are photos: it takes all, and the service refuses others.

    A file waits for the limits, and is not sent if it is too large. A file without any picture cannot be opened.
    """
    monkeypatch.setitem(service.settings, "max_bytes", 2_000_000)
    page = open_page(None, expected=FAILED)
    held, sent = hold(page, "models"), list[str]()
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    page.goto("/")
    large = tmp_path / "scan.png"
    large.write_bytes(bytes(3_000_000))
    page.set_input_files("#files", large)
    expect(page.locator("#strip")).to_be_hidden()
    release(page, "models", held)
    expect(page.locator("#run-error")).to_contain_text("3 MB; the limit is 2 MB.")
    expect(page.locator("#retry")).to_be_hidden()
    assert sent == []
    begin_anew(page)
    held = hold(page, "models")
    page.reload()
    text = {"name": "a.txt", "mimeType": "text/plain", "buffer": b"not a photo"}
    page.set_input_files("#files", [{"name": "scan.hif", "mimeType": "", "buffer": photo.read_bytes()}, text])
    expect(page.locator("#strip .photo")).to_have_count(2)
    release(page, "models", held)
    expect(page.locator(".card.new")).to_have_count(4)
    page.locator("#strip .photo").last.click()
    expect(page.locator("#run-error")).to_contain_text("The service cannot read this type of file.")
    expect(page.locator("#run-error")).to_contain_text("AVIF, HEIC")
    card = page.locator(".card").first
    expect(card.locator(".none")).to_have_text("Your browser cannot preview this file type.")
    expect(card.locator(".open")).to_be_disabled()
    expect(card.locator(".fix")).to_be_disabled()
    expect(page.locator("#strip use")).to_have_attribute("href", "#icon-photo")


def test_many_files_that_are_no_photos_are_one_short_message_that_fades(
    open_page, service, tmp_path, monkeypatch
) -> None:
    monkeypatch.setitem(service.settings, "max_bytes", 2_000_000)
    page = open_page(reduced_motion="no-preference")
    page.clock.install()
    files = [tmp_path / f"{i} {name}" for name in ("notes.txt", "scan.png") for i in range(5)]
    for file in files:
        file.write_bytes(bytes(3_000_000 if file.suffix == ".png" else 1))
    page.set_input_files("#files", files)
    for seconds in (0, 5):
        page.clock.run_for(1000 * seconds)
        words, large = page.get_by_role("alert").all_inner_texts()
        assert words.startswith("Not a photo: 0 notes.txt, 1 notes.txt, 2 notes.txt and 2 others. Photos are JPEG,")
        assert large == "0 scan.png: 3 MB, 1 scan.png: 3 MB, 2 scan.png: 3 MB and 2 others; the limit is 2 MB."
    page.clock.run_for(5000)
    expect(page.locator("#notices > *")).to_have_count(0)
    expect(page.locator("#welcome")).to_be_visible()  # no file was accepted, so none is sent


def test_full_view_says_what_failed_and_what_it_waits_for(page, upload) -> None:
    """A fixed color is retried at its point."""
    upload(page)
    page.route("**/v1/colorizations", lambda route: route.abort())
    fix_a_color(page)
    expect(page.locator("#view-error")).to_contain_text("The service does not answer.")
    page.click("#fix-done")
    expect(page.locator("#view-error")).to_be_visible()  # the coloring does not follow the color yet
    page.unroute("**/v1/colorizations")
    page.click("#view-retry")
    expect(page.locator("#run-facts")).to_contain_text("1 fixed color")
    expect(page.locator(".card.new")).to_have_count(4)
    expect(page.locator("#view-error")).to_be_hidden()
    busy = {"status": 429, "code": "rate_limited", "detail": "20 requests a minute"}
    page.route("**/v1/models", lambda route: route.fulfill(status=429, headers={"Retry-After": "1"}, json=busy))
    page.select_option("#format", "png")
    page.click("#download")
    expect(page.locator("#notices")).to_contain_text("reached its request limit for now. Trying again in 1 s")
    with page.expect_download():
        page.unroute("**/v1/models")
    assert page.get_by_role("alert").count() <= 1  # said once, and gone after a while


PROXY = [  # status, message, whether a retry is offered
    (413, "This file is larger than the service accepts.", False),
    (502, "The service does not answer. Is it still running?", True),
    (200, "The service does not answer. Is it still running?", True),
]


def test_the_answers_of_a_proxy_and_of_a_busy_service_in_words(page, photo, color_photo) -> None:
    for endpoint, (status, words, again) in product(("models", "colorizations"), PROXY):
        page.route(
            f"**/v1/{endpoint}",
            lambda route, _, status=status: route.fulfill(status=status, body="<html>", content_type="text/html"),
        )
        page.set_input_files("#files", photo)
        expect(page.locator("#error-title")).to_have_text(words)
        expect(page.locator("#retry")).to_be_visible(visible=again)
        page.unroute(f"**/v1/{endpoint}")
        begin_anew(page)
    busy = {"status": 429, "code": "queue_full", "detail": "16 requests are waiting"}
    answer = {"status": 429, "headers": {"Retry-After": "2"}, "json": busy}
    page.route("**/v1/colorizations", lambda route: route.fulfill(**answer), times=1)
    page.set_input_files("#files", [photo, color_photo])
    words = "The service is busy with other photos. Trying again in 2 s"
    expect(page.locator("#progress-text")).to_have_text(words)
    expect(page.locator("#album-words")).to_have_text(f"0 of 2 photos. {words}")  # the same for each photo
    expect(page.locator("#album-bar")).to_be_hidden()
    expect(page.locator(".card.new")).to_have_count(4)


def test_a_key_is_asked_for_and_sent(open_page, start, upload, photo, tmp_path) -> None:
    """Without a key, the demonstration stays gray. Several photos ask for the key once.

    This also holds in a browser that blocks cookies and storage; there, the page asks again after a reload.
    """
    key = add_key(tmp_path / "keys", "ann")
    page = open_page(of=start(api_keys_file=tmp_path / "keys"), expected=FAILED, ready=False, demo=True)
    use = page.get_by_role("button", name="Use it")
    expect(page.locator("#key-title")).to_have_text("This service requires a key")
    page.click("#key-cancel")
    expect(page.locator("#model-note")).to_contain_text("requires a key")
    expect(page.get_by_text("Colored just now")).to_be_hidden()
    expect(page.locator("#hero-colorings li")).to_have_count(0)
    expect(page.locator("#hero-wipe")).to_be_disabled()
    page.set_input_files("#files", [copy(photo, tmp_path / f"{i}.png") for i in range(3)])
    page.click("#key-cancel")
    expect(page.locator("#album-words")).to_have_text("0 of 3 photos, 3 failed")
    page.click("#album-resume")
    dialog = page.locator("#key-dialog")
    expect(dialog).to_have_accessible_description("Ask its operator for one. The key stays in this tab.")
    page.fill("#key", "a-wrong-one")
    use.click()
    expect(dialog).to_have_accessible_description("The service does not know this key. Is it spelled right?")
    page.fill("#key", key)
    use.click()
    expect(page.locator("#strip img:not(.gray)")).to_have_count(3)
    page.reload()
    upload(page)  # the tab still knows it
    for storage in ("localStorage", "sessionStorage", "indexedDB"):
        page.add_init_script(f"Object.defineProperty(window, '{storage}', {{ get() {{ throw new Error('none') }} }})")
    page.reload()
    page.fill("#key", key)
    use.click()
    expect(dialog).to_be_hidden()
    expect(page.locator("#model")).not_to_be_empty()
    upload(page)
    page.click("#theme")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_work_goes_on_by_itself_once_the_service_answers_again(page, photo, tmp_path) -> None:
    """After a lost network, and after a restart of the service. If only some requests fail, nothing is repeated."""
    page.context.set_offline(True)
    page.set_input_files("#files", photo)
    expect(page.locator("#error-detail")).to_have_text(
        "No answer came back. The page goes on by itself as soon as one does."
    )
    page.context.set_offline(False)
    expect_colorings(page, 4)
    expect(page.locator("#run-error")).to_be_hidden()
    page.route("**/readyz", lambda route: route.fulfill(status=503))
    page.route("**/v1/colorizations", lambda route: route.abort())
    page.set_input_files("#files", [copy(photo, tmp_path / name) for name in ("a.png", "b.png", "c.png")])
    expect(page.locator("#album-words")).to_have_text("0 of 3 photos, 3 failed")
    expect(page.locator("#error-detail")).to_contain_text("goes on by itself")
    page.unroute("**/v1/colorizations")
    page.unroute("**/readyz")
    expect(page.locator("#strip img:not(.gray)")).to_have_count(4)
    expect(page.locator("#run-error")).to_be_hidden()
    with page.expect_response("**/readyz"):
        page.route("**/v1/colorizations", lambda route: route.abort(), times=1)
        page.click("#colorize")
    expect(page.locator("#error-detail")).to_have_text("No answer came back.")
    expect(page.locator("#retry")).to_be_visible()
