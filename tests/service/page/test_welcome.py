"""The welcome view: a live before and after, and messages while the service starts."""

from playwright.sync_api import Route, expect

from tests.service.page.steps import FAILED, expect_colorings, taken
from tests.service.page.stored import until_stored


def test_the_demonstration_is_live_and_nothing_comes_from_elsewhere(open_page, upload, service) -> None:
    """The page requests no other host."""
    page = open_page(None, demo=True, reduced_motion="no-preference")
    page.context.new_cdp_session(page).send("Network.clearBrowserCache")  # tests before this one may have filled it
    page.goto("/")
    expect(page.locator("#hero-colorings li")).to_have_count(4)
    (options,) = service.colorizer.options
    assert (options.n, options.seed) == (4, 7)
    expect(page.get_by_text("Colored just now")).to_be_visible()
    after = page.locator("#hero-after")
    first = after.get_attribute("src")
    page.get_by_role("button", name="Coloring 3").click()
    assert after.get_attribute("src") != first
    clip = "getComputedStyle(document.getElementById('hero-after')).clipPath"
    before = page.evaluate(clip)
    page.locator("#hero-wipe").press("End")
    assert page.evaluate(clip) != before
    upload(page)
    entries = "['navigation', 'resource'].flatMap((type) => performance.getEntriesByType(type))"
    sizes = page.evaluate(f"{entries}.map((each) => [each.name, each.transferSize])")
    own = (str(service.client.base_url), "blob:", "data:")
    assert [name for name, _ in sizes if not name.startswith(own)] == []
    loaded = [name for name, size in sizes if size and "/v1/" not in name]
    assert len(loaded) == len(set(loaded)) > 40  # each file is requested once


def test_a_service_that_starts_says_so(open_page, loading, monkeypatch) -> None:
    monkeypatch.setattr("service.engine.RETRY_SECONDS", 1)
    starting, loaded = loading
    page = open_page(of=starting, expected=FAILED, ready=False, demo=True)
    note = page.locator("#model-note")
    expect(note).to_have_text("The service is still starting. The model is being loaded.")
    expect(page.get_by_text("Colored just now")).to_be_hidden()
    loaded.set()
    expect(page.locator("#hero-colorings li")).to_have_count(4)
    expect(note).to_be_hidden()


def test_a_photo_is_added_that_is_chosen_while_the_service_starts_or_the_page_comes(
    open_page, upload, color_photo
) -> None:
    """The note about the start disappears after an answer. Photos from before a reload stay."""
    page = open_page(None, expected=FAILED)
    problem = {"status": 503, "code": "loading", "detail": "the model is being loaded"}
    starting = {"status": 503, "json": problem, "headers": {"Retry-After": "600"}}
    page.route("**/v1/models", lambda route: route.fulfill(**starting), times=1)
    page.goto("/")
    expect(page.locator("#model-note")).to_contain_text("The service is still starting.")
    upload(page)
    expect(page.locator("#model-note")).to_be_hidden()
    until_stored(page, "files", 5)
    held: list[Route] = []
    page.route("**/main.js", lambda route: held.append(route))
    page.reload(wait_until="commit")
    page.set_input_files("#files", color_photo)
    taken(page, held).continue_()
    expect(page.locator("#strip .photo")).to_have_count(2)
    expect_colorings(page, 4)
