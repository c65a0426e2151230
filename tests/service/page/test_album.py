"""Albums of several photos: a seed for each, progress, and an early end."""

from pathlib import Path
from shutil import copy

import pytest
from playwright.sync_api import Page, expect

from benchmarks.figures.browser import executable
from benchmarks.figures.steps import hold, keep
from tests.service.page.steps import FAILED, colorize_again, pixels, taken, unzipped
from tests.service.page.stored import until_state, until_stored


@pytest.fixture
def album(photo, tmp_path) -> list[Path]:
    return [Path(copy(photo, tmp_path / name)) for name in ("a.png", "b.png", "c.png")]


@pytest.fixture
def colored(page, album) -> Page:
    """The page with the album, all photos colorized."""
    page.set_input_files("#files", album)
    done(page, 3)
    return page


NO_LOCKS = "Object.defineProperty(navigator, 'locks', {value: undefined})"
"""Browsers offer no locks over plain HTTP."""


@pytest.fixture
def stored(page, upload) -> Page:
    """The page with a photo and its colorings, stored by the browser."""
    upload(page)
    until_stored(page, "files", 5)
    return page


def done(page: Page, photos: int) -> None:
    expect(page.locator("#strip .photo")).to_have_count(photos)
    expect(page.locator("#strip .busy, #strip .waiting")).to_have_count(0)
    expect(page.locator("#album-bar")).to_be_hidden()


def sources(page: Page) -> list[str]:
    """Return the addresses of the pictures in the strip."""
    return page.locator("#strip img").evaluate_all("all => all.map((each) => each.src)")


def test_all_photos_each_of_its_own_seed_or_of_the_same_colors_and_undo(colored, service) -> None:
    expect(colored.locator("#strip img.gray")).to_have_count(0)  # each shows its first coloring
    assert len({each.seed for each in service.colorizer.options}) == 3
    colored.locator("#strip .photo").nth(2).click()
    expect(colored.get_by_alt_text("c.png, the gray photo")).to_be_visible()
    expect(colored.locator("#run-facts")).to_have_text("c.png · Balanced")
    expect(colored.locator(".card.new")).to_have_count(4)
    before = sources(colored)
    colored.locator("#album-run").click()
    expect(colored.locator("#history li")).to_have_count(2)
    done(colored, 3)
    assert [each.n for each in service.colorizer.options] == [4] * 6
    assert len({each.seed for each in service.colorizer.options}) == 6
    assert not set(sources(colored)) & set(before)
    colored.keyboard.press("Control+z")
    assert sources(colored) == before
    colored.locator("#strip .photo").first.click()
    colored.locator(".card.new .open").nth(1).click()
    colored.locator("#saturation").fill("0.5")
    colored.click("#spread")
    done(colored, 3)
    after = sources(colored)
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, False, False]
    for i in (1, 2):
        colored.locator("#strip .photo").nth(i).click()
        expect(colored.locator("#run-title")).to_have_text("Colors of a.png")
        expect(colored.locator(".card.new")).to_have_count(1)
        expect(colored.locator("#colorize")).to_have_text("Colorize")  # more would be equal
        colored.locator(".card.new .open").click()
        expect(colored.locator("#saturation-out")).to_have_text("50 %")
        colored.click("#viewer-close")
        colored.keyboard.press("Control+z")  # to the previous photo
    assert [each.weights for each in service.colorizer.options[-2:]] == [(1, 1, 0, 0)] * 2
    assert all(each.shape == (200, 300, 3) for each in service.colorizer.references[-2:])
    after = sources(colored)  # with the look, which is drawn a moment later
    colored.keyboard.press("Control+z")
    assert sources(colored) == before
    colored.click("#redo")
    assert sources(colored) == after
    colored.click("#undo")
    colored.locator("#strip .photo").nth(1).click()
    expect(colored.locator("#run-title")).to_have_text("Colorings")
    expect(colored.locator(".card.new")).to_have_count(4)
    colored.locator("#history button").first.click()  # the attempt is in the history
    expect(colored.locator("#run-title")).to_have_text("Colors of a.png")


def test_photos_that_failed_go_on_or_are_said_to_have_failed_for_good(open_page, album, photo, service) -> None:
    page = open_page(expected=FAILED)
    album[1].write_bytes(photo.read_bytes()[:200])
    page.route("**/v1/colorizations", lambda route: route.abort())
    page.route("**/v1/colorizations", lambda route: route.continue_(), times=1)
    page.set_input_files("#files", album)
    expect(page.locator("#album-words")).to_have_text("1 of 3 photos, 2 failed")
    expect(page.locator("#album-why")).to_have_text("The service does not answer. Is it still running?")
    page.unroute("**/v1/colorizations")
    page.click("#album-resume")
    expect(page.locator("#album-words")).to_have_text("2 of 3 photos, 1 failed")
    expect(page.locator("#strip .busy, #strip .waiting")).to_have_count(0)
    expect(page.locator("#strip img.gray")).to_have_count(1)
    expect(page.locator("#album-why")).to_have_text("This file is damaged or incomplete.")
    expect(page.locator("#album-bar button:visible")).to_have_count(0)  # no button can help
    assert len(service.colorizer.options) == 2
    page.set_input_files("#files", [photo, photo])
    expect(page.locator("#album-words")).to_have_text("4 of 5 photos, 1 failed")
    page.locator("#strip .photo").nth(1).click()
    page.get_by_label("Remove b.png").click()
    expect(page.locator("#album-bar")).to_be_hidden()


def test_what_is_asked_for_goes_before_the_album_and_the_rest_goes_on_after_all_anew_undo_or_cancel(
    page, album, photo, service, tmp_path
) -> None:
    held = hold(page, "colorizations", times=1)
    page.set_input_files("#files", album)
    request = taken(page, held)
    page.locator("#number").fill("1")
    page.click("#colorize")
    request.continue_()
    done(page, 3)
    held = hold(page, "colorizations", times=1)
    page.click("#album-run")
    expect(page.locator("#strip .busy")).to_have_count(1)
    taken(page, held)  # else a request of the second command would be held
    page.locator("#number").fill("2")
    page.click("#album-run")
    done(page, 3)
    assert [each.n for each in service.colorizer.options] == [4, 1, 4, 4] + 3 * [2]
    page.click("#album-remove")
    hold(page, "colorizations", after=1)
    page.set_input_files("#files", album)
    expect(page.locator("#album-words")).to_have_text("1 of 3 photos")
    expect(page.locator("#strip .busy")).to_have_count(1)
    page.keyboard.press("Control+z")
    expect(page.locator("#welcome")).to_be_visible()
    page.click("#redo")
    expect(page.locator("#album-words")).to_have_text("1 of 3 photos, stopped")
    expect(page.locator("#strip img:not(.gray)")).to_have_count(1)
    page.set_input_files("#files", [Path(copy(photo, tmp_path / name)) for name in ("d.png", "e.png")])
    expect(page.locator("#album-words")).to_have_text("1 of 5 photos")
    page.click("#album-cancel")
    expect(page.locator("#album-words")).to_have_text("1 of 5 photos, stopped")
    page.unroute("**/v1/colorizations")
    page.click("#album-resume")
    done(page, 5)
    expect(page.locator("#strip img.gray")).to_have_count(0)


def test_what_is_removed_is_not_stored_and_what_was_undone_neither_shown_nor_saved(colored) -> None:
    """Each photo restores its view, also after a reload."""
    until_stored(colored, "files", 3 + 3 * 4)
    colored.click("#album-remove")
    expect(colored.locator("#welcome")).to_be_visible()
    until_stored(colored, "files", 0)
    colored.click("#undo")
    expect(colored.locator("#strip .photo")).to_have_count(3)
    until_stored(colored, "files", 3 + 3 * 4)
    colored.reload()
    done(colored, 3)
    colorize_again(colored, 77)
    done(colored, 3)
    for _ in range(2):  # the colorings and the seed
        colored.keyboard.press("Control+z")
    colored.locator("#strip .photo").nth(1).click()
    colored.locator("#strip .photo").first.click()
    expect(colored.locator("#history [aria-current=true]")).to_have_count(1)
    expect(colored.locator("#history button").last).to_have_attribute("aria-current", "true")
    colored.locator("#strip .photo").nth(1).click()
    until_state(colored, "view.photo === view.photos[1]")
    colored.reload()
    expect(colored.locator("#strip .photo")).to_have_count(3)
    _, files = unzipped(colored, "#album-download")
    assert not [name for name in files if "seed-77" in name]
    colored.locator("#strip .photo").first.click()
    expect(colored.locator("#history button").last).to_have_attribute("aria-current", "true")


def test_one_of_each_and_all_that_are_kept_in_a_zip_that_can_be_unpacked(page, photo) -> None:
    """The photos may have any names."""
    stems = {f"{70 * 'é’'}.png": 40 * "é’", "...png": "photo", ".png": "photo", "..a. .png": "a", "b.png": "b"}
    content = photo.read_bytes()
    page.set_input_files("#files", [{"name": name, "mimeType": "image/png", "buffer": content} for name in stems])
    done(page, len(stems))
    _, files = unzipped(page, "#album-download")
    assert [name.split("-seed-")[0] for name in files] == list(stems.values())
    keep(page, 2)
    shown = page.locator(".card.new img").nth(2).get_attribute("src")
    expect(page.locator("#strip img").first).to_have_attribute("src", shown)
    keep(page, 0)
    for i in range(1, len(stems)):
        page.locator("#strip .photo").nth(i).click()
        keep(page, 0, 1)
    _, files = unzipped(page, "#download-kept")
    paths = [each.split("/") for each in files]
    assert [folder for folder, _ in paths] == [stem for stem in stems.values() for _ in range(2)]
    assert all(file.startswith(f"{folder}-seed-") for folder, file in paths)


def test_a_reload_loses_nothing_and_the_rest_goes_on(page, photo, tmp_path, service) -> None:
    many = 8
    paths = [Path(copy(photo, tmp_path / f"{i}.png")) for i in range(many)]
    hold(page, "colorizations", after=3)
    page.locator("#number").evaluate("each => { each.value = 2; each.dispatchEvent(new Event('change')) }")
    page.set_input_files("#files", paths)
    expect(page.locator("#album-words")).to_have_text(f"3 of {many} photos")
    page.locator(".card.new .keep").nth(1).click()
    page.locator(".card.new .open").nth(0).click()
    page.locator("#saturation").fill("0")
    page.click("#viewer-close")
    picture = pixels(page.locator(".card.new img").nth(1), 100)
    until_stored(page, "files", many + 3 * 2)
    until_state(page, "view.kept.length === 1 && view.looks.size === 1")  # the latest changes
    seeds = {each.seed for each in service.colorizer.options}
    service.colorizer.forget()
    page.reload()
    expect(page.locator("#album-words")).to_have_text(f"3 of {many} photos")
    expect(page.locator("#strip .photo")).to_have_count(many)
    expect(page.locator("#strip img:not(.gray)")).to_have_count(3)
    expect(page.locator(".card.new")).to_have_count(2)
    assert pixels(page.locator(".card.new img").nth(1), 100) == picture
    expect(page.locator("#kept-words")).to_have_text("1 kept")
    expect(page.locator("#number-out")).to_have_text("2")
    page.locator(".card.new .open").nth(0).click()
    expect(page.locator("#saturation-out")).to_have_text("0 %")
    page.click("#viewer-close")
    page.unroute("**/v1/colorizations")  # continues held requests
    done(page, many)
    expect(page.locator("#strip img:not(.gray)")).to_have_count(many)
    assert len(service.colorizer.options) == many - 3
    assert not seeds & {each.seed for each in service.colorizer.options[1:]}


def test_a_reload_at_once_keeps_what_was_done_last(page, upload) -> None:
    """Rapid changes, such as arriving colorings, do not delay writing."""
    upload(page)
    page.evaluate("document.querySelector('.card.new .keep').click(); location.reload()")
    expect(page.locator("#kept-words")).to_have_text("1 kept")
    page.evaluate("""async () => {
      const { notify } = await moduleOfThePage('store.js');
      setInterval(notify, 20);
    }""")
    keep(page, 1)
    until_stored(page, "files", 5)
    until_state(page, "view.kept.length === 2")


def test_a_full_storage_is_said_and_what_is_removed_goes_from_it(stored, color_photo) -> None:
    """A photo without colorings, as stored by an earlier version, also comes back."""
    stored.evaluate("""() => {
      const put = IDBObjectStore.prototype.put;
      IDBObjectStore.prototype.put = function (...args) {
        const request = put.apply(this, args);
        if (this.name === 'files') {
          this.transaction.abort();
          console.log('full');
        }
        return request;
      };
    }""")
    with stored.expect_console_message(lambda line: line.text == "full"):
        stored.set_input_files("#files", color_photo)
    expect(stored.locator("#notices")).to_contain_text("a reload would lose everything new")
    done(stored, 2)
    assert stored.get_by_role("alert").count() <= 1  # shown once, for a while
    stored.click("#album-remove")
    until_stored(stored, "files", 0)
    stored.evaluate("""async () => {
      const { revive } = await moduleOfThePage('photos.js');
      const photo = { file: new File(['x'], 'a.png'), name: 'a.png', example: null, runs: [] };
      revive({ view: { photos: [photo], photo, runs: [] }, album: [] });
    }""")
    expect(stored.locator("#strip .photo")).to_have_count(1)


def store_as_old(page: Page, name: str) -> None:
    """Store the page's session under a name, as if its last change were more than a week ago."""
    script = """([name]) => new Promise((resolve) => {
      indexedDB.open('tintflow').onsuccess = ({ target: { result } }) => {
        const states = result.transaction('states', 'readwrite').objectStore('states');
        states.get(sessionStorage.tintflow).onsuccess = ({ target }) => {
          const old = {...target.result, changed: Date.now() - 8 * 24 * 3600 * 1000};
          states.put(old, name).onsuccess = resolve;
        };
      };
    })"""
    page.evaluate(script, [name])


def begin_anew_in_duplicate(first: Page, other: Page) -> None:
    """Duplicate the first tab with its session, and reload both; only the first continues the session."""
    other.evaluate("name => sessionStorage.setItem('tintflow', name)", first.evaluate("sessionStorage.tintflow"))
    other.reload()
    expect(other.locator("#model")).not_to_be_empty()
    expect(other.locator("#welcome")).to_be_visible()
    first.reload()
    expect(first.locator(".card.new")).to_have_count(4)


def test_other_tabs_begin_anew_and_old_sessions_are_forgotten_but_for_that_of_an_open_tab(stored, upload) -> None:
    for name in ("old", "older", stored.evaluate("sessionStorage.tintflow")):
        store_as_old(stored, name)
    until_stored(stored, "states", 3)
    other = stored.context.new_page()
    other.goto(stored.url)
    expect(other.locator("#welcome")).to_be_visible()
    until_stored(other, "states", 2)  # one per tab
    upload(other)
    until_stored(other, "files", 10)
    begin_anew_in_duplicate(stored, other)
    for tab in (stored, other):
        tab.add_init_script(NO_LOCKS)
    stored.reload()
    expect(stored.locator(".card.new")).to_have_count(4)
    other.reload()
    begin_anew_in_duplicate(stored, other)


@pytest.mark.parametrize("script", ["", NO_LOCKS])
def test_a_new_tab_goes_on_with_the_photos_of_a_closed_one_or_deletes_them(stored, script) -> None:
    keep(stored, 1)
    until_state(stored, "view.kept.length === 1")
    other, last = (stored.context.new_page() for _ in range(2))
    for tab in (stored, other, last):
        tab.add_init_script(script)
    url = stored.url
    stored.reload()
    expect(stored.locator(".card.new")).to_have_count(4)
    other.goto(url)
    expect(other.locator("#model")).not_to_be_empty()
    expect(other.locator("#earlier")).to_be_hidden()  # the first tab is open
    stored.close()
    other.reload()
    expect(other.locator("#earlier-words")).to_contain_text("1 photo with all colorings")
    other.click("#earlier-open")
    expect(other.locator(".card.new")).to_have_count(4)
    expect(other.locator("#kept-words")).to_have_text("1 kept")
    other.close()
    last.goto(url)
    last.click("#earlier-forget")
    expect(last.locator("#earlier")).to_be_hidden()
    until_stored(last, "files", 0)
    last.reload()
    expect(last.locator("#model")).not_to_be_empty()
    expect(last.locator("#earlier")).to_be_hidden()


def test_a_tab_whose_photos_another_took_over_while_it_slept_begins_anew(stored) -> None:
    """Over plain HTTP, without locks, a tab that sleeps does not answer."""
    other = stored.context.new_page()
    for tab in (stored, other):
        tab.add_init_script(NO_LOCKS)
    stored.reload()
    expect(stored.locator(".card.new")).to_have_count(4)
    stored.evaluate("BroadcastChannel.prototype.postMessage = () => {}")
    other.goto(stored.url)
    other.click("#earlier-open")
    expect(stored.locator("#welcome")).to_be_visible()
    expect(other.locator(".card.new")).to_have_count(4)
    other.reload()
    expect(other.locator(".card.new")).to_have_count(4)


NO_FILES = """const { put, add } = IDBObjectStore.prototype;
IDBTransaction.prototype.commit = () => {}; // Chromium's would abort
IDBObjectStore.prototype.put = function (value, key) {
  if (!(value instanceof Blob)) return put.call(this, value, key);
  put.call(this, 0, 'taken');
  const request = add.call(this, value, 'taken');
  request.addEventListener('error', (event) => event.preventDefault());
  return request;
};"""
"""As in private windows of Safari, no file can be stored, but the transaction completes."""


def test_a_browser_that_stores_no_files_stores_nothing_and_the_page_says_so(page, upload) -> None:
    page.add_init_script(NO_FILES)
    page.reload()
    upload(page)
    expect(page.locator("#notices")).to_contain_text("a reload would lose everything new")
    expect(page.locator(".card.new")).to_have_count(4)
    until_stored(page, "states", 1)  # from before the photo
    page.reload()
    expect(page.locator("#model")).not_to_be_empty()
    expect(page.locator("#welcome")).to_be_visible()
    upload(page)
    expect(page.locator("#notices")).to_contain_text("a reload would lose everything new")


COME_BACK = """async () => {
  dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }));
  for (const end = Date.now() + 5000; Date.now() < end; await new Promise((go) => setTimeout(go, 20))) {
    const { held } = await navigator.locks.query();
    if (held.length) return;
  }
}"""


def test_a_tab_that_comes_back_holds_its_photos_again_unless_another_has_taken_them_over(stored) -> None:
    """Safari lets go of the locks of a page that it may show again, as it was; here, they are stolen."""
    name = stored.evaluate("navigator.locks.query().then(({ held: [{ name }] }) => name)")
    stored.evaluate("name => navigator.locks.request(name, { steal: true }, () => {})", name)
    stored.evaluate(COME_BACK)
    other = stored.context.new_page()
    other.goto(stored.url)
    expect(other.locator("#model")).not_to_be_empty()
    expect(other.locator("#earlier")).to_be_hidden()
    stored.evaluate(COME_BACK)  # nothing was lost this time
    expect(stored.locator(".card.new")).to_have_count(4)
    hold_on = "name => void navigator.locks.request(name, { steal: true }, () => new Promise(() => {}))"
    other.evaluate(hold_on, name)
    stored.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })) && null")
    expect(stored.locator("#welcome")).to_be_visible()
    assert stored.evaluate("sessionStorage.tintflow") != name.split()[1]


def test_a_scrollbar_below_many_photos_stays_within_the_bar(browser, service, photo) -> None:
    """Headless browsers hide scrollbars by default."""
    count = 20
    arguments = {"args": ["--no-sandbox"], "ignore_default_args": ["--hide-scrollbars"]}
    with browser.browser_type.launch(executable_path=executable(), **arguments) as shown:
        page = shown.new_page(viewport={"width": 900, "height": 600})
        page.goto(f"{service.client.base_url}")
        page.set_input_files("#files", [photo] * count)
        expect(page.locator("#strip .photo")).to_have_count(count)
        strip, bar = page.locator("#strip"), page.locator(".top")
        assert strip.evaluate("each => each.offsetHeight > each.clientHeight")
        assert strip.bounding_box()["height"] <= bar.bounding_box()["height"]
