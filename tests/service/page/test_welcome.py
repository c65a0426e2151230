"""The first look: a live before and after, samples to try, and the way in on a phone."""

import threading

from playwright.sync_api import Page, expect

from service.edge.keys import add_key
from tests.service.fakes import FakeColorizer

PHONE = {"viewport": {"width": 390, "height": 780}, "has_touch": True, "is_mobile": True}


def test_a_sample_colors_on_one_click(page, service) -> None:
    expect(page.locator("#samples button")).to_have_count(3)
    page.get_by_role("button", name="A cup of coffee").click()
    expect(page.locator(".card.new")).to_have_count(4)
    expect(page.get_by_alt_text("coffee.jpg, the gray photo")).to_be_visible()
    assert service.colorizer.photos[-1].shape[:2] == (400, 600)


def test_the_demonstration_is_live(open_page, service) -> None:
    page = open_page(ready=False, demo=True)
    expect(page.locator("#hero-colorings li")).to_have_count(4)
    (options,) = service.colorizer.options
    assert (options.n, options.seed) == (4, 7)
    sizes = page.evaluate("performance.getEntriesByType('resource').map((each) => [each.name, each.transferSize])")
    loaded = [name for name, size in sizes if size]
    assert len(loaded) == len(set(loaded)) > 40  # nothing is asked for twice: else it is in the browser's cache
    expect(page.get_by_text("Colored just now")).to_be_visible()
    after = page.locator("#hero-after")
    first = after.get_attribute("src")
    page.get_by_role("button", name="Coloring 3").click()
    assert after.get_attribute("src") != first
    clip = "getComputedStyle(document.getElementById('hero-after')).clipPath"
    before = page.evaluate(clip)
    page.locator("#hero-wipe").press("End")
    assert page.evaluate(clip) != before


def test_without_a_key_the_demonstration_stays_gray(open_page, start, tmp_path) -> None:
    add_key(tmp_path / "keys", "ann")
    page = open_page(
        of=start(api_keys_file=tmp_path / "keys"), expected="Failed to load resource", ready=False, demo=True
    )
    page.click("#key-cancel")
    expect(page.locator("#model-note")).to_contain_text("asks for a key")
    expect(page.get_by_text("Colored just now")).to_be_hidden()
    expect(page.locator("#hero-colorings li")).to_have_count(0)
    expect(page.locator("#hero-wipe")).to_be_disabled()


def test_a_service_that_starts_says_so(open_page, start, monkeypatch) -> None:
    monkeypatch.setattr("service.engine.RETRY_SECONDS", 1)
    loaded = threading.Event()

    def load(_: object) -> FakeColorizer:
        loaded.wait(60)
        return FakeColorizer()

    page = open_page(of=start(load=load), expected="Failed to load resource", ready=False, demo=True)
    note = page.locator("#model-note")
    expect(note).to_have_text("The service is still starting. The model is being loaded.")
    expect(page.get_by_text("Colored just now")).to_be_hidden()
    loaded.set()
    expect(page.locator("#hero-colorings li")).to_have_count(4)
    expect(note).to_be_hidden()


def test_what_was_said_at_the_start_goes_once_another_request_is_answered(open_page, upload) -> None:
    page: Page = open_page(expected="Failed to load resource")
    problem = {"status": 503, "code": "loading", "detail": "the model is being loaded"}
    starting = {"status": 503, "json": problem, "headers": {"Retry-After": "600"}}
    page.route("**/v1/models", lambda route: route.fulfill(**starting), times=1)
    page.reload()
    expect(page.locator("#model-note")).to_contain_text("The service is still starting.")
    upload(page)
    expect(page.locator("#model-note")).to_be_hidden()


def test_on_a_phone_nobody_is_told_to_drop(open_page) -> None:
    page: Page = open_page(**PHONE)
    expect(page.get_by_text("Choose a photo", exact=True)).to_be_in_viewport()
    expect(page.locator("#hero")).to_be_in_viewport()
    expect(page.get_by_text("Or drop photos")).to_be_hidden()
