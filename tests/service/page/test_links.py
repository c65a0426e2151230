"""A link opens exactly what was seen, or says why it cannot."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.service.page.stored import until_stored

CLIPBOARD = {"permissions": ["clipboard-read", "clipboard-write"]}


@pytest.fixture
def link_of() -> Callable[[Page], str]:
    """A function that copies the link of the coloring in full view."""

    def copy(page: Page) -> str:
        page.click("#share")
        expect(page.locator("#share-note")).to_contain_text("Copied")
        link = page.evaluate("navigator.clipboard.readText()")
        return "/" + link[link.index("#") :]

    return copy


def pixels(page: Page) -> list[int]:
    """Return the viewer's picture, as 8 by 8 pixels."""
    return page.locator("#after").evaluate("""async (image) => {
      await image.decode();
      const context = Object.assign(document.createElement('canvas'), {width: 8, height: 8}).getContext('2d');
      context.drawImage(image, 0, 0, 8, 8);
      return [...context.getImageData(0, 0, 8, 8).data];
    }""")


def test_a_coloring(open_page, upload, link_of) -> None:
    first = open_page(**CLIPBOARD)
    upload(first)
    first.locator(".card.new .open").nth(2).click()
    link = link_of(first)
    assert "temperature=0.75&n=4&index=2&model=fake-1.00000000" in link
    second = open_page(at=link)
    expect(second.locator("#link-note")).to_contain_text("shows coloring 3")
    upload(second)
    expect(second.locator("#viewer-title")).to_have_text("Coloring 3")
    assert pixels(second) == pixels(first)
    expect(second.locator("#notices > *")).to_have_count(0)


def test_of_those_added_later(open_page, upload, link_of) -> None:
    first = open_page(**CLIPBOARD)
    upload(first)
    first.click("#colorize")
    expect(first.locator(".card.new")).to_have_count(8)
    first.locator(".card.new .open").nth(6).click()
    second = open_page(at=link_of(first))
    upload(second)
    expect(second.locator("#viewer-title")).to_have_text("Coloring 3")
    assert pixels(second) == pixels(first)


def test_a_variation_with_its_look(open_page, upload, link_of, service) -> None:
    first = open_page(**CLIPBOARD)
    upload(first)
    first.locator(".card.new .open").nth(1).click()
    first.click("#vary")
    expect(first.locator("#run-title")).to_have_text("More like coloring 2")
    expect(first.locator(".card.new")).to_have_count(4)
    first.locator(".card.new .open").nth(2).click()
    plain = first.locator("#after").get_attribute("src")
    first.locator("#saturation").fill("0.5")
    expect(first.locator("#after")).not_to_have_attribute("src", plain)
    second = open_page(at=link_of(first))
    expect(second.locator("#link-note")).to_contain_text("shows variation 3")
    upload(second)
    expect(second.locator("#viewer-title")).to_have_text("Variation 3")
    expect(second.locator("#saturation-out")).to_have_text("50 %")
    expect(second.locator(".card.new img").nth(2)).not_to_have_attribute(
        "src", second.locator("#history img").nth(2).get_attribute("src")
    )
    assert pixels(second) == pixels(first)
    assert [each.noise_seed for each in service.colorizer.options] == [service.colorizer.options[0].noise_seed]


def test_fixed_colors(open_page, upload, link_of, service) -> None:
    first = open_page(**CLIPBOARD)
    upload(first)
    first.get_by_role("button", name="Fix a color", exact=True).first.click()
    first.click("#hint-add")
    first.locator("#palette-swatches button").first.click()
    expect(first.locator("#run-facts")).to_contain_text("1 fixed color")
    expect(first.locator("#fix-status")).to_have_text("")
    first.click("#fix-done")
    hints = service.colorizer.options[-1].hints
    second = open_page(at=link_of(first))
    upload(second)
    expect(second.locator("#viewer-title")).to_have_text("Coloring 1")
    assert service.colorizer.options[-1].hints == hints
    expect(second.locator(".badge")).to_have_text("1 fixed color")


def test_of_a_sample_the_link_holds_all(open_page, link_of) -> None:
    first = open_page(**CLIPBOARD)
    first.get_by_role("button", name="An astronaut").click()
    expect(first.locator(".card.new")).to_have_count(4)
    first.locator(".card.new .open").nth(3).click()
    second = open_page(at=link_of(first), demo=False)
    expect(second.locator("#viewer-title")).to_have_text("Coloring 4")
    assert pixels(second) == pixels(first)


def test_a_reload_does_not_open_it_again(open_page, service) -> None:
    page = open_page(at="/#seed=3&temperature=0.75&n=4&index=1&example=astronaut", demo=False)
    expect(page.locator("#viewer-title")).to_have_text("Coloring 2")
    expect(page.locator("#run-progress")).to_be_hidden()
    until_stored(page, "files", 5)
    service.colorizer.forget()
    page.reload()
    expect(page.locator(".card.new")).to_have_count(4)
    expect(page.get_by_alt_text("astronaut.jpg, the gray photo")).to_be_visible()
    expect(page.locator("#strip")).to_be_hidden()  # one photo
    expect(page.locator("#viewer")).to_be_hidden()
    assert service.colorizer.options == []


def test_among_photos_it_says_what_it_is_for(page, upload, color_photo) -> None:
    upload(page)
    until_stored(page, "files", 5)
    page.evaluate("location.hash = '#seed=3&temperature=0.75&n=4&index=1'")
    expect(page.locator("#notices")).to_contain_text("Add the photo that it was made for.")
    page.reload()  # as a link that is opened in the tab of other photos
    expect(page.locator("#notices")).to_contain_text("Add the photo that it was made for.")
    page.set_input_files("#files", color_photo)
    expect(page.locator("#viewer-title")).to_have_text("Coloring 2")


@pytest.mark.parametrize("way", ["in place", "anew"])
def test_what_is_there_is_neither_asked_for_nor_made_again(
    open_page, upload, link_of, color_photo, service, way: str
) -> None:
    page = open_page(**CLIPBOARD)
    upload(page)
    page.locator(".card.new .open").nth(2).click()
    link, seen = link_of(page), pixels(page)
    page.click("#viewer-close")
    upload(page, color_photo)
    until_stored(page, "files", 10)
    address = page.url + link.removeprefix("/")
    made = len(service.colorizer.options)
    if way == "anew":
        page.goto("about:blank")
    page.goto(address)
    expect(page.locator("#viewer-title")).to_have_text("Coloring 3")
    assert pixels(page) == seen
    expect(page.locator("#notices > *")).to_have_count(0)
    expect(page.locator("#strip .photo")).to_have_count(2)
    expect(page.locator("#strip [aria-current=true]")).to_have_attribute("aria-label", "bridge.png")
    assert len(service.colorizer.options) == made
    page.click("#viewer-close")
    print_of = re.search(r"photo=\w+", link)
    assert print_of
    page.evaluate(f"location.hash = '#seed=987&temperature=0.75&n=4&index=2&{print_of[0]}'")
    expect(page.locator("#viewer")).to_be_visible()
    assert len(service.colorizer.options) > made  # of another seed


def test_a_sample_that_is_there_is_not_added_again(page) -> None:
    page.get_by_role("button", name="An astronaut").click()
    expect(page.locator(".card.new")).to_have_count(4)
    page.evaluate("location.hash = '#seed=3&temperature=0.75&n=4&index=1&example=astronaut'")
    expect(page.locator("#viewer-title")).to_have_text("Coloring 2")
    expect(page.locator("#strip .photo")).to_have_count(1)


def test_of_a_seed_that_is_there_the_temperature_counts(page, upload, colorize_again) -> None:
    upload(page)
    colorize_again(page, 3)
    expect(page.locator("#run-progress")).to_be_hidden()
    page.evaluate("location.hash = '#seed=3&temperature=1.5&n=4&index=1'")
    expect(page.locator("#notices")).to_contain_text("Add the photo that it was made for.")
    page.locator("#number").fill("5")  # a change, after which the page looks whether the coloring is there
    expect(page.locator("#viewer")).to_be_hidden()
    upload(page)
    expect(page.locator("#viewer-title")).to_have_text("Coloring 2")
    page.locator("#sample-tools summary").click()
    expect(page.locator("#facts")).to_contain_text("Temperature1.5")


def test_another_model_is_told(open_page, upload) -> None:
    page = open_page(at="/#seed=3&temperature=0.75&n=4&index=1&model=older-1.12345678")
    expect(page.locator("#link-note")).to_contain_text(
        "made by older-1, and this service runs fake-1: colors will differ"
    )
    upload(page)
    expect(page.locator("#viewer-title")).to_have_text("Coloring 2")
    expect(page.locator("#notices")).to_contain_text("made by older-1")
    expect(page.locator("#viewer #notices")).to_have_count(1)  # elsewhere the full view would cover it
    page.click("#viewer-close")
    expect(page.locator("body > #notices")).to_have_count(1)


def test_other_weights_of_the_same_name_are_told(open_page) -> None:
    page = open_page(at="/#seed=3&temperature=0.75&n=4&index=1&model=fake-1.12345678")
    expect(page.locator("#link-note")).to_contain_text(
        "It was made by other weights of fake-1, or by an earlier version: colors may differ."
    )


def test_another_photo_is_told(open_page, upload) -> None:
    page = open_page(at="/#seed=3&temperature=0.75&n=4&index=1&photo=00000000")
    upload(page)
    expect(page.locator("#viewer-title")).to_have_text("Coloring 2")
    expect(page.locator("#notices")).to_contain_text("The link was made for another photo")


def test_colors_of_a_picture_have_no_link(page, upload, drop, color_photo) -> None:
    upload(page)
    drop(page, "#reference-zone", color_photo)
    expect(page.locator("#run-title")).to_have_text("Colors of beach.png")
    expect(page.locator(".card.new")).to_have_count(4)
    page.locator(".card.new .open").first.click()
    no_link(page, "Coloring 1 has no link, because a link holds no picture: the colors come from another photo.")
    vary(page)
    no_link(page, "it is like coloring 1, whose colors come from another photo.")


def test_a_step_to_a_variation_says_why_it_has_no_link(page, upload) -> None:
    upload(page)
    page.locator(".card.new .keep").first.click()
    page.locator(".card.new .open").nth(1).click()
    vary(page)
    page.click("#viewer-close")
    page.locator(".card.new .keep").first.click()
    page.click("#compare-open")
    page.click("#interpolate")
    expect(page.locator("#run-title")).to_have_text("From one to the other")
    expect(page.locator("#run-progress")).to_be_hidden()
    page.locator(".card.new .open").nth(1).click()
    no_link(
        page,
        "has no link, because a link can name both ends only if both are drawn afresh, by the same model and at the "
        "same temperature.",
    )


def vary(page: Page) -> None:
    """Make variations of the coloring in full view, and open the first."""
    runs = page.locator("#history li").count()
    page.click("#vary")
    expect(page.locator("#history li")).to_have_count(runs + 1)
    expect(page.locator("#run-progress")).to_be_hidden()
    page.locator(".card.new .open").first.click()


def no_link(page: Page, words: str) -> None:
    expect(page.locator("#share")).to_be_hidden()
    expect(page.locator("#share-note")).to_contain_text(words)


def test_a_variation_of_a_variation_has_a_link(open_page, upload, link_of) -> None:
    first = open_page(**CLIPBOARD)
    upload(first)
    first.locator(".card.new .open").nth(2).click()
    vary(first)
    vary(first)
    second = open_page(at=link_of(first))
    upload(second)
    expect(second.locator("#viewer-title")).to_have_text("Variation 1")
    assert pixels(second) == pixels(first)


def test_a_variation_of_fixed_colors_has_a_link(page, upload) -> None:
    upload(page)
    page.get_by_role("button", name="Fix a color", exact=True).first.click()
    page.click("#hint-add")
    page.locator("#palette-swatches button").first.click()
    expect(page.locator("#run-facts")).to_contain_text("1 fixed color")
    expect(page.locator("#fix-status")).to_have_text("")
    page.click("#fix-done")
    vary(page)
    expect(page.locator("#share")).to_be_visible()


@pytest.mark.parametrize(
    "nonsense",
    ["seed=-5&temperature=NaN&n=1e9", "kind=constructor&n=1e9&seed=-5", "n=1e9&seed=-5&index=<script>&hints=;;,"],
)
def test_nonsense_does_no_harm(open_page, upload, nonsense: str) -> None:
    page = open_page(at=f"/#{nonsense}")
    expect(page.locator("#number")).to_have_value("16")
    upload(page, colorings=16)
    expect(page.locator("#seed")).to_have_value("0")
