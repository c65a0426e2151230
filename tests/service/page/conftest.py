"""The page in a real browser, with a running service and the fake colorizer."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from benchmarks.figures.browser import MissingBrowserError, check_browser, launch
from tests.service.page.steps import expect_colorings

TIMEOUT = 30_000  # milliseconds; long enough for a busy machine
SLOW = "GPU stall due to ReadPixels"  # software WebGL reports this for every picture that is read back
DEFAULTS = {
    "viewport": {"width": 1280, "height": 800},
    "reduced_motion": "reduce",  # without animations, tests take a quarter of the time
    "permissions": ["clipboard-read", "clipboard-write"],
}
MEDIA = ("color_scheme", "forced_colors", "reduced_motion")
"""Options of each page: with them, it needs no context of its own, which would have to get the page's files."""
SEEDS = """const random = crypto.getRandomValues.bind(crypto);
let last = %d;
crypto.getRandomValues = (array) =>
  array.length > 1 ? random(array) : array.fill((last = (48_271 * last) %% 2_147_483_647));"""
"""The page draws the same seeds in every run, so that no two colors are alike by chance now and then."""
NO_DEMO = """const fetched = window.fetch;
window.fetch = (what, ...more) =>
  what === 'page/samples/photographer.jpg' ? Promise.reject(new Error('no demonstration')) : fetched(what, ...more);"""
"""The page cannot have the photo of its demonstration, which takes a fifth of the time of opening it."""
NO_IDEAS = """const asked = window.fetch;
window.fetch = (what, how, ...more) =>
  what === 'v1/variations' && how.body.has('at') ? Promise.reject(new Error('no ideas')) : asked(what, how, ...more);"""
"""The palette of *Fix a color* has no ideas from the model, which would be one more drawing each time that it opens."""
BLOBS = """const { toBlob } = HTMLCanvasElement.prototype;
HTMLCanvasElement.prototype.toBlob = function (...how) {
  toBlob.apply(this, how);
  requestAnimationFrame(() => {});
};"""
"""A canvas becomes a file when the browser is idle, as after a frame; without one, it waits a second."""
MODULES = """window.moduleOfThePage = (name) =>
  import(new URL(name, document.querySelector('script[type=module]').src));"""
"""The page's own module; another address would load it a second time."""


@pytest.fixture(scope="package")  # not session: its event loop blocks others in this thread
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=TIMEOUT)
    try:
        check_browser()
    except MissingBrowserError as error:
        pytest.skip(str(error))
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def contexts(browser: Browser) -> dict[str, list[BrowserContext]]:
    """Contexts that no test uses, by their options. They have the page's files, so that it opens in half the time."""
    return defaultdict(list)


@pytest.fixture
def open_page(contexts: dict[str, list[BrowserContext]], browser: Browser, service) -> Iterator[Callable[..., Page]]:
    """A function that opens the page in an empty browser context; any error in the browser's console fails the test.

    Arguments are those of a browser context and of `emulate_media`. `at` is appended to the address (None opens nothing
    yet), `of` is another service, and `expected` lists words of expected console errors. It waits until the page knows
    the model, unless not `ready`; with `demo`, the page first colorizes its demonstration; with `ideas`, its palette
    has ideas. Later tests get the context, so scripts and routes are to be set for pages.
    """
    taken: list[tuple[str, BrowserContext]] = []
    unexpected: list[str] = []

    def open_one(
        at: str | None = "/",
        of=service,
        expected: str = "",
        ready: bool = True,
        demo: bool = False,
        ideas: bool = False,
        **options: object,
    ) -> Page:
        address = str(of.client.base_url)
        media = {name: options.pop(name) for name in MEDIA if name in options}
        kind = f"{address} {len(taken)} {demo} {ideas} {options}"
        if not contexts[kind]:
            context = browser.new_context(base_url=address, **DEFAULTS | options)
            for script in (
                SEEDS % (len(taken) + 1),
                BLOBS,
                MODULES,
                "" if demo else NO_DEMO,
                "" if ideas else NO_IDEAS,
            ):
                context.add_init_script(script)
            contexts[kind].append(context)
        context = contexts[kind].pop()
        taken.append((kind, context))
        page = context.new_page()
        page.emulate_media(**media)
        kinds = {"origin": address, "storageTypes": "cookies,indexeddb,local_storage"}
        context.new_cdp_session(page).send("Storage.clearDataForOrigin", kinds)
        page.set_default_timeout(TIMEOUT)
        page.on("pageerror", lambda error: unexpected.append(str(error)))
        page.on(
            "console",
            lambda line: (
                unexpected.append(line.text)
                if line.type in ("error", "warning")
                and not any(each and each in line.text for each in (expected, SLOW))
                else None
            ),
        )
        if at:
            page.goto(at)
        if at and ready:
            expect(page.locator("#model")).not_to_be_empty()
            if demo:
                expect(page.locator("#hero-colorings li")).to_have_count(4)
            of.colorizer.forget()
        return page

    yield open_one
    for kind, context in taken:
        for page in context.pages:
            page.close()
        contexts[kind].append(context)
    assert not unexpected


@pytest.fixture
def page(open_page) -> Page:
    return open_page()


@pytest.fixture(scope="session")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gray photo on disk, 300 wide and 200 high."""
    path = tmp_path_factory.mktemp("photos") / "bridge.png"
    y, x = np.mgrid[0:200, 0:300]
    Image.fromarray((40 + 0.4 * x + 0.3 * y).astype(np.uint8)).save(path)
    return path


@pytest.fixture(scope="session")
def color_photo(photo: Path) -> Path:
    """A color photo on disk."""
    path = photo.with_name("beach.png")
    Image.new("RGB", (90, 60), (200, 120, 40)).save(path)
    return path


@pytest.fixture
def upload(photo: Path) -> Callable[..., None]:
    """A function that uploads a photo and waits for its colorings."""

    def choose(page: Page, *paths: Path, colorings: int = 4) -> None:
        page.set_input_files("#files", list(paths) or [photo])
        expect_colorings(page, colorings)

    return choose


@pytest.fixture
def fixing(page, upload) -> Page:
    """The page with a coloring in full view, in the mode for fixing colors."""
    upload(page)
    page.get_by_role("button", name="Fix a color", exact=True).first.click()
    expect(page.locator("#hint-tools")).to_be_visible()
    return page
