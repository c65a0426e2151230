"""Errors are shown in words, and nothing is lost on one."""

import json

from playwright.sync_api import Route, expect

from model.errors import NonFiniteError
from service.edge.keys import add_key

FAILED = "Failed to load resource"  # what the browser itself writes of any answer that is an error


def test_an_error_in_words_and_on_from_there(open_page, upload, service) -> None:
    page = open_page(expected=FAILED)
    upload(page)
    service.colorizer.error = NonFiniteError("the flow returned a*b* that are not finite numbers")
    page.click("#die")
    expect(page.locator("#run-error")).to_contain_text("Something went wrong.")
    expect(page.locator("#run-error")).to_contain_text("not finite numbers")
    expect(page.get_by_alt_text("bridge.png, the grey photo")).to_be_visible()
    service.colorizer.error = None
    page.click("#retry")
    expect(page.locator(".card.new")).to_have_count(4)
    expect(page.locator("#run-error")).to_be_hidden()
    expect(page.locator("#history li")).to_have_count(2)


def test_a_file_that_is_no_photo(open_page, upload, tmp_path, photo) -> None:
    page = open_page(expected=FAILED)
    broken, text = tmp_path / "broken.png", tmp_path / "notes.txt"
    broken.write_bytes(photo.read_bytes()[:200])
    text.write_text("not a photo")
    page.set_input_files("#files", [text, broken])
    expect(page.locator("#notices")).to_contain_text("Not a photo: notes.txt")
    expect(page.locator("#run-error")).to_contain_text("This file is damaged")
    upload(page, photo)
    page.locator("#strip .photo").first.click()
    expect(page.locator("#run-error")).to_contain_text("This file is damaged")


def test_stopped_colorings_go_on(page, photo) -> None:
    held: list[Route] = []
    page.route(
        "**/v1/colorizations",
        lambda route: held.append(route) if len(held) == 1 else (held.append(route), route.continue_()),
    )
    page.set_input_files("#files", photo)
    expect(page.locator(".card.new")).to_have_count(2)
    page.click("#stop")
    expect(page.locator("#run-error")).to_contain_text("Stopped.")
    expect(page.locator(".card.new")).to_have_count(2)
    page.click("#retry")
    expect(page.locator(".card.new")).to_have_count(4)


def test_a_busy_service_is_waited_for(open_page, photo) -> None:
    page = open_page(expected=FAILED)
    busy = {"status": 429, "code": "queue_full", "detail": "16 requests are waiting"}
    answered: list[Route] = []

    def refuse_once(route: Route) -> None:
        answered.append(route)
        if len(answered) == 1:
            route.fulfill(
                status=429,
                headers={"Retry-After": "1", "Content-Type": "application/problem+json"},
                body=json.dumps(busy),
            )
        else:
            route.continue_()

    page.route("**/v1/colorizations", refuse_once)
    page.set_input_files("#files", photo)
    expect(page.locator("#progress-text")).to_contain_text("busy with other photos. Trying again in 1 s")
    expect(page.locator(".card.new")).to_have_count(4)


def test_a_service_out_of_reach(open_page, photo) -> None:
    page = open_page(expected=FAILED)
    page.route("**/v1/colorizations", lambda route: route.abort())
    page.set_input_files("#files", photo)
    expect(page.locator("#run-error")).to_contain_text("The service does not answer.")


def test_a_key_is_asked_for_and_sent(open_page, start, upload, tmp_path) -> None:
    key = add_key(tmp_path / "keys", "ann")
    page = open_page(of=start(api_keys_file=tmp_path / "keys"), expected=FAILED)
    expect(page.locator("#key-title")).to_have_text("This service asks for a key")
    for given in ("a-wrong-one", key):
        page.fill("#key", given)
        page.get_by_role("button", name="Use it").click()
    expect(page.locator("#key-dialog")).to_be_hidden()
    upload(page)
    page.reload()
    upload(page)  # the tab still knows it
