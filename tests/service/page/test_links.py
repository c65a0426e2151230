"""Links reproduce exactly the linked view, or say why they cannot."""

import re
from urllib.parse import urlencode

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from benchmarks.figures.steps import hold, keep
from tests.service.page.steps import (
    FAILED,
    add_more,
    borrow,
    colorize_again,
    expect_colorings,
    fix_a_color,
    link_of,
    make_steps,
    more_like,
    open_link,
    pixels,
    taken,
)
from tests.service.page.stored import until_state, until_stored
from tests.service.waiting import eventually


@pytest.fixture
def first(page, upload) -> Page:
    """The page with four colorings."""
    upload(page)
    return page


def test_a_variation_with_its_look_and_a_coloring_also_outside_of_a_secure_context(
    first, open_page, upload, service
) -> None:
    first.locator(".card.new .open").nth(1).click()
    more_like(first, "coloring 2")
    first.locator(".card.new .open").nth(2).click()
    plain = first.locator("#after").get_attribute("src")
    first.locator("#saturation").fill("0.5")
    expect(first.locator("#after")).not_to_have_attribute("src", plain)
    second = open_page(at=link_of(first))
    expect(second.locator("#link-note")).to_contain_text("shows variation 3")
    upload(second)
    expect(second.locator("#viewer-title")).to_have_text("Variation 3")
    expect(second.locator("#saturation-out")).to_have_text("50 %")
    wanted = pixels(first.locator("#after"))
    eventually(lambda: pixels(second.locator("#after")) == wanted)  # drawing the look takes a moment
    assert [each.noise_seed for each in service.colorizer.options] == [service.colorizer.options[0].noise_seed]
    first.click("#viewer-close")
    first.locator("#history button").last.click()
    add_more(first, 8)
    first.locator(".card.new .open").nth(6).click()
    link = link_of(first)
    expect(first.locator("#share-note")).to_contain_text("opens on this computer alone")  # its host is 127.0.0.1
    assert "temperature=0.75&n=4&index=2&first=4&model=fake-1.00000000" in link
    second = open_page(at=link)
    expect(second.locator("#link-note")).to_contain_text("This link shows coloring 7")
    upload(second)
    expect(second.locator("#viewer-title")).to_have_text("Coloring 7")
    assert pixels(second.locator("#after")) == pixels(first.locator("#after"))
    expect(second.locator("#notices > *")).to_have_count(0)
    first.click("#previous")
    first.evaluate("navigator.clipboard.writeText = undefined")
    assert "index=1&first=4&model=fake-1.00000000" in link_of(first)
    first.evaluate("document.execCommand = () => false")
    first.click("#share")
    expect(first.locator("#share-note")).to_contain_text("index=1&first=4&model=fake-1.00000000")
    assert first.locator(".tools").evaluate("each => each.scrollWidth <= each.clientWidth")


def test_the_link_of_a_sample_is_complete(open_page, service) -> None:
    first = open_page()
    expect(first.locator("#samples button")).to_have_count(3)
    first.get_by_role("button", name="A cup of coffee").click()
    expect(first.locator(".card.new")).to_have_count(4)
    expect(first.get_by_alt_text("coffee.jpg, the gray photo")).to_be_visible()
    assert service.colorizer.photos[-1].shape[:2] == (400, 600)
    first.locator(".card.new .open").nth(3).click()
    link = link_of(first)
    second = open_page(at=link, ready=False)
    expect(second.locator("#viewer-title")).to_have_text("Coloring 4")
    assert pixels(second.locator("#after")) == pixels(first.locator("#after"))
    open_link(second, "#seed=3&temperature=0.75&n=4&index=1&example=coffee")
    expect(second.locator("#viewer-title")).to_have_text("Coloring 2")
    expect(second.locator("#strip .photo")).to_have_count(1)  # the photo is not added again


def test_a_reload_neither_makes_it_twice_nor_opens_it_again(page, service) -> None:
    held = hold(page, "colorizations", times=2)
    open_link(page, "#seed=3&temperature=0.75&n=4&index=1&saturation=0.5&example=astronaut")
    taken(page, held)
    until_stored(page, "files", 1)
    page.reload()
    taken(page, held).continue_()
    expect(page.locator("#viewer-title")).to_have_text("Coloring 2")
    expect(page.locator("#saturation-out")).to_have_text("50 %")
    expect_colorings(page, 4)
    until_stored(page, "files", 5)
    page.reload()
    expect(page.locator(".card.new")).to_have_count(4)
    expect(page.get_by_alt_text("astronaut.jpg, the gray photo")).to_be_visible()
    expect(page.locator("#strip")).to_be_hidden()  # hidden for one photo
    expect(page.locator("#viewer")).to_be_hidden()
    expect(page.locator("#history li")).to_have_count(1)
    assert [each.seed for each in service.colorizer.options] == [3]


def test_a_link_among_other_photos_names_its_photo(page, upload, color_photo) -> None:
    """A coloring of the same seed counts only with the same temperature."""
    upload(page)
    colorize_again(page, 3)
    until_stored(page, "files", 9)
    open_link(page, "#seed=3&temperature=1.5&n=4&index=1")
    expect(page.locator("#notices")).to_contain_text("Add the photo that it was made for.")
    page.locator("#number").fill("5")  # a change, which makes the page look for the coloring
    expect(page.locator("#viewer")).to_be_hidden()
    page.reload()  # as if a link were opened in a tab with other photos
    expect(page.locator("#notices")).to_contain_text("Add the photo that it was made for.")
    upload(page, color_photo)
    expect(page.locator("#viewer-title")).to_have_text("Coloring 2")
    page.locator("#sample-tools summary").click()
    expect(page.locator("#facts")).to_contain_text("Temperature1.5")


def test_what_is_there_is_neither_asked_for_nor_made_again(first, upload, color_photo, service) -> None:
    first.locator(".card.new .open").nth(2).click()
    link, seen = link_of(first), pixels(first.locator("#after"))
    first.click("#viewer-close")
    upload(first, color_photo)
    until_stored(first, "files", 10)
    address = first.url + link.removeprefix("/")
    made = len(service.colorizer.options)
    for leave in (lambda: None, lambda: first.goto("about:blank")):
        leave()
        first.goto(address)
        expect(first.locator("#viewer-title")).to_have_text("Coloring 3")
        assert pixels(first.locator("#after")) == seen
        expect(first.locator("#notices > *")).to_have_count(0)
        expect(first.locator("#strip .photo")).to_have_count(2)
        expect(first.locator("#strip [aria-current=true]")).to_have_attribute("aria-label", "bridge.png")
        assert len(service.colorizer.options) == made
        first.click("#viewer-close")
        first.locator("#strip .photo").last.click()
        until_state(first, "view.photo === view.photos[1]")
    for seed, temperature in ((987, 0.75), (service.colorizer.options[0].seed, 1.5)):
        other = re.sub(r"seed=\d+&temperature=0.75", f"seed={seed}&temperature={temperature}", link)
        open_link(first, other[1:])
        expect(first.locator("#viewer")).to_be_visible()
        drawn = service.colorizer.options[-1]
        assert (drawn.seed, drawn.temperature) == (seed, temperature)
        first.click("#viewer-close")


def test_another_model_and_another_photo_are_told(open_page, upload) -> None:
    named = "/#seed=3&temperature=0.75&n=4&index=1&model="
    page = open_page(at=f"{named}fake-1.12345678")
    note = page.locator("#link-note")
    expect(note).to_contain_text("It was made by other weights of fake-1, or by an earlier version: colors may differ.")
    open_link(page, f"{named[1:]}tintflow-cw")  # a truncated name
    expect(note).to_have_text("This link shows coloring 2 of a photo. Add the photo that it was made for.")
    open_link(page, f"{named[1:]}older-1.12345678&photo=00000000")
    expect(note).to_contain_text("made by older-1, and this service runs fake-1: colors will differ")
    upload(page)
    expect(page.locator("#viewer-title")).to_have_text("Coloring 2")
    expect(page.locator("#notices")).to_contain_text("made by older-1")
    expect(page.locator("#notices")).to_contain_text("The link was made for another photo")
    expect(page.locator("#viewer #notices")).to_have_count(1)  # outside of it, the full view would cover the notice
    page.click("#viewer-close")
    expect(page.locator("body > #notices")).to_have_count(1)


def see_step_2(page: Page) -> None:
    """Leave full view, make steps between the two kept colorings, and open the second step."""
    page.click("#viewer-close")
    make_steps(page, 5)
    page.locator(".card.new .open").nth(1).click()


def test_colors_of_a_picture_and_what_is_made_of_them_have_no_link(page, upload, color_photo) -> None:
    upload(page)
    keep(page, 0)
    borrow(page, color_photo)
    page.locator(".card.new .open").first.click()
    no_link(page, "Coloring 1 has no link, because a link cannot hold a picture: the colors come from another photo.")
    page.click("#keep")
    vary(page)
    no_link(page, "it is like coloring 1, whose colors come from another photo.")
    see_step_2(page)
    no_link(page, "Step 2 of 5 has no link, because a link cannot hold a picture: it is made from coloring 1,")


def test_a_step_to_what_has_no_name(first, open_page, upload, service) -> None:
    """The link of a step, and of its variation, holds the recipe of the end that is sent as a picture."""
    first.locator(".card.new .keep").first.click()
    first.locator(".card.new .open").nth(1).click()
    for place in (2, 0):  # the second starts from the picture of the first
        vary(first, place)
    first.click("#keep")
    see_step_2(first)
    link, seen = link_of(first), pixels(first.locator("#after"))
    second = open_page(at=link)
    expect(second.locator("#link-note")).to_contain_text("shows step 2 of 5")
    upload(second, colorings=5)
    expect(second.locator("#viewer-title")).to_have_text("Step 2 of 5")
    assert pixels(second.locator("#after")) == seen
    assert link_of(second) == link
    expect(second.locator("#run-title")).to_have_text("From one to the other")
    expect(second.locator("#history li")).to_have_count(3)  # a coloring of seed and index, then two variations
    expect(second.locator(".card.source")).to_have_count(0)
    drawn = len(service.colorizer.options)
    vary(first)
    link, seen = link_of(first), pixels(first.locator("#after"))
    second.click("#viewer-close")
    open_link(second, link[1:])
    expect(second.locator("#viewer-title")).to_have_text("Variation 1")
    assert pixels(second.locator("#after")) == seen
    assert len(service.colorizer.options) > drawn


def vary(page: Page, place: int = 0) -> None:
    """Make variations of the coloring in full view, and open one."""
    runs = page.locator("#history li").count()
    page.click("#vary")
    expect(page.locator("#history li")).to_have_count(runs + 1)
    expect(page.locator("#run-progress")).to_be_hidden()
    page.locator(".card.new .open").nth(place).click()


def no_link(page: Page, words: str) -> None:
    expect(page.locator("#share")).to_be_hidden()
    expect(page.locator("#share-note")).to_contain_text(words)


def test_fixed_colors_and_a_variation_of_a_variation_of_them(first, open_page, upload, service, photo) -> None:
    """Fixed colors can be removed. The page has no earlier colorings, so the same seed draws again, once.

    Each further variation is drawn from the picture of the previous one, as when the link was made. Failed work
    continues.
    """
    fix_a_color(first)
    expect(first.locator("#run-facts")).to_contain_text("1 fixed color")
    expect(first.locator("#fix-status")).to_have_text("")
    first.click("#fix-done")
    drawn = service.colorizer.options[-1]
    second = open_page(at=link_of(first))
    upload(second)
    expect(second.locator("#viewer-title")).to_have_text("Coloring 1")
    expect(second.locator(".badge")).to_have_text("1 fixed color")
    second.click("#fix")
    second.get_by_role("button", name="Remove fixed color 1").click()
    expect(second.locator("#run-facts")).not_to_contain_text("fixed color")
    expect(second.locator("#fix-status")).to_have_text("")
    second.wait_for_timeout(600)  # longer than the page's pause for further changes
    made = [(each.seed, each.hints) for each in service.colorizer.options]
    assert made == [(drawn.seed, drawn.hints), (drawn.seed, ())]
    expect(second.locator("#viewer-title")).to_have_text("Coloring 1")
    for place in (1, 2, 0):
        vary(first, place)
    link, seen = link_of(first), pixels(first.locator("#after"))
    pictures = service.colorizer.references[-2:]
    assert not np.array_equal(*pictures)
    second = open_page(at=link, expected=FAILED)
    expect(second.locator("#link-note")).to_contain_text("shows variation 1")
    second.route("**/v1/transfers", lambda route: route.abort(), times=1)
    second.set_input_files("#files", photo)
    expect(second.locator("#run-error")).to_contain_text("The service does not answer.")
    second.click("#retry")
    expect(second.locator("#viewer-title")).to_have_text("Variation 1")
    expect(second.locator("#run-progress")).to_be_hidden()
    assert pixels(second.locator("#after")) == seen
    for pair in zip(pictures, service.colorizer.references[-2:], strict=True):
        assert np.array_equal(*pair)
    expect(second.locator("#notices > *")).to_have_count(0)
    expect(second.locator("#run-title")).to_have_text("More like variation 3")
    expect(second.locator(".card.source")).to_contain_text("Source: variation 3")
    expect(second.locator("#history li")).to_have_count(3)  # no step appears twice
    expect(second.locator("#run-facts")).to_contain_text("1 fixed color")
    redrawn = service.colorizer.options
    assert [each.n for each in redrawn] == [1, 1, 1, 4]  # the first of them twice
    assert all(each.hints == drawn.hints for each in redrawn)
    assert link_of(second) == link
    second.click("#viewer-close")
    open_link(second, link[1:])
    expect(second.locator("#viewer")).to_be_visible()
    assert len(service.colorizer.options) == 4  # it exists, so nothing is drawn again


def test_too_many_variations_of_variations_have_no_link(open_page, upload) -> None:
    steps = ["kind=variations&seed=3&of=0&strength=0.3&index=0", *4 * ["kind=transfers&seed=3&strength=0.3&index=0"]]
    page = open_page("/#kind=transfers&seed=3&strength=0.3&n=1&index=0&" + urlencode({"from": steps}, doseq=True))
    upload(page, colorings=1)
    expect(page.locator("#share")).to_be_visible()
    vary(page)
    no_link(
        page, "Variation 1 has no link, because a link can describe at most 5 earlier steps, and it is more steps from"
    )


def test_nonsense_does_no_harm(open_page, upload) -> None:
    """Nonsense includes invalid recipes."""
    page = open_page("/#seed=-5&temperature=NaN&n=1e9")
    expect(page.locator("#number")).to_have_value("16")
    like = "#kind=transfers&seed=3&strength=0.3&n=2&index=0&"
    lone, next_one = "seed=1&index=0", "kind=transfers&seed=1&strength=0.3&index=0"
    recipes = ([], [next_one], [lone, "seed=2&index=0"], ["seed=1"], [lone] + [next_one] * 5)
    links = [like + urlencode({"from": steps}, doseq=True) for steps in recipes]
    ends = "#kind=interpolations&seed=3&of=0&steps=4&index=1"  # without another end
    beyond = (
        "#seed=3&n=4&index=64&offset=60",
        "#kind=variations&seed=3&of=64&strength=0.3&n=4&index=1",
        "#n=16&seed=3&index=16",
    )
    for link in (*links, ends, *beyond):
        page.evaluate("document.getElementById('notices').replaceChildren()")
        open_link(page, link)
        expect(page.locator("#notices")).to_contain_text("This link is damaged or incomplete: it names no coloring.")
        expect(page.locator("#link-note")).to_be_hidden()
        expect(page.locator("#number")).to_have_value("16")
    open_link(page, "#seed=3&temperature=0.75&n=4&index=1&example=photograph")
    expect(page.locator("#notices")).to_contain_text("the page has no sample named “photograph”")
    expect(page.locator("#link-note")).to_be_hidden()
    for nonsense in ("kind=constructor&n=1e9&seed=-5", "n=1e9&seed=-5&index=<script>&hints=;;,"):
        open_link(page, "n=7&seed=3")
        expect(page.locator("#number")).to_have_value("7")
        open_link(page, nonsense)
        expect(page.locator("#number")).to_have_value("16")
        expect(page.locator("#seed")).to_have_value("0")
    upload(page, colorings=16)
    expect(page.locator("#seed")).to_have_value("0")
