"""Colors fixed at points of the photo, which colorings follow."""

from dataclasses import replace

import pytest
from playwright.sync_api import Page, Route, expect

from benchmarks.figures.steps import click_at, hold, keep
from tests.service.page.steps import (
    add_more,
    borrow,
    choose,
    colorize_again,
    expect_colorings,
    fix,
    followed,
    link_of,
    make_steps,
    pixels,
    taken,
)
from tests.service.page.stored import until_state, until_stored
from tests.service.waiting import eventually

SENT = """() => {
  window.sent = [];
  const { fetch } = window;
  window.fetch = (path, { body, ...more } = {}) => {
    if (body) sent.push([...body.keys()]);
    return fetch(path, { body, ...more });
  };
}"""
"""Note the names of the fields that the page sends."""


def test_colorings_follow_colors_also_that_are_left_at_once(fixing, service) -> None:
    """The view is left by *Done*, by closing and by a reload, within the pause before a request."""

    def leave(x: float, way: str, count: int) -> None:
        click_at(fixing, x, 0.5)
        fixing.evaluate(f"document.querySelector('#palette-swatches button').click(); {way}")
        expect(fixing.locator("#run-facts")).to_contain_text(f"{count} fixed colors")
        expect_colorings(fixing, 4)
        assert len(service.colorizer.options[-1].hints) == count

    seed = service.colorizer.options[0].seed
    before = fixing.locator("#after").get_attribute("src")
    fix(fixing, 0.75, "sky", 1)
    options = service.colorizer.options[-1]
    assert (options.seed, options.n, options.offset) == (seed, 4, 0)  # the same colorings, except for the fixed color
    (hint,) = options.hints
    assert (hint.x, hint.y) == (pytest.approx(0.75, abs=0.01), pytest.approx(0.5, abs=0.01))
    red, _, blue = hint.color
    assert blue > red + 40
    expect(fixing.locator("#after")).not_to_have_attribute("src", before)
    expect(fixing.locator("#viewer-title")).to_have_text("Coloring 1")
    fixing.click("#fix-done")
    fixing.locator("#sample-tools summary").click()
    expect(fixing.locator("#facts")).to_contain_text("missed by ΔE 1.3")  # the fake's 1.25
    fixing.click("#viewer-close")
    expect(fixing.locator(".badge")).to_have_text("1 fixed color")
    expect(fixing.locator("#hint-count")).to_contain_text("1 fixed color")
    expect(fixing.locator("#history li")).to_have_count(2)
    fixing.locator(".card .fix").click()
    before = fixing.locator("#after").get_attribute("src")
    leave(0.6, "document.querySelector('#fix-done').click()", 2)
    expect(fixing.locator("#after")).not_to_have_attribute("src", before)  # the view follows, too
    fixing.click("#fix")
    leave(0.4, "document.querySelector('#viewer-close').click()", 3)
    expect(fixing.locator("#viewer")).to_be_hidden()
    fixing.locator(".card .fix").click()
    leave(0.25, "location.reload()", 4)
    for words in (".badge", "#hint-count"):
        expect(fixing.locator(words)).to_contain_text("4 fixed colors")


def test_how_far_colors_spread(fixing, open_page, upload, service) -> None:
    """The slider draws the same colorings again. Undo, a reload and links keep it."""
    spread, words = fixing.locator("#hint-spread"), fixing.locator("#hint-spread-words")
    expect(spread).to_be_hidden()  # no color is fixed
    fixing.evaluate(SENT)
    fix(fixing, 0.75, "sky", 1)
    expect(spread).to_have_value("0.5")
    expect(words).to_have_text("over the things they are on")
    assert "hint_spread" not in fixing.evaluate("sent.at(-1)")
    plain = fixing.locator("#after").get_attribute("src")
    spread.fill("1")
    expect(fixing.locator("#run-facts")).to_contain_text("1 fixed color, spread 100 %")
    expect(words).to_have_text("over the whole photo: all is drawn anew")
    expect(fixing.locator("#fix-status")).to_have_text("")
    spread.evaluate("each => { each.value = '0.3'; each.dispatchEvent(new Event('input')); }")  # still held
    fixing.evaluate("moduleOfThePage('store.js').then(({ notify }) => notify())")
    expect(spread).to_have_value("0.3")
    spread.fill("0")
    expect(fixing.locator("#run-facts")).to_contain_text("1 fixed color, spread 0 %")
    expect(spread).to_have_attribute("aria-valuetext", "0 %: only around the points")
    expect(fixing.locator("#fix-status")).to_have_text("")
    drawn = [(each.seed, each.hint_spread) for each in service.colorizer.options]
    assert drawn == [(drawn[0][0], each) for each in (0.5, 0.5, 1, 0)]
    expect(fixing.locator("#history li")).to_have_count(2)
    for _ in range(2):
        fixing.keyboard.press("Control+z")
    expect(spread).to_have_value("0.5")
    expect(fixing.locator("#after")).to_have_attribute("src", plain)
    fixing.keyboard.press("Control+Shift+z")
    fixing.keyboard.press("Control+Shift+z")
    expect(fixing.locator("#run-facts")).to_contain_text("spread 0 %")
    fixing.click("#fix-done")
    fixing.locator("#sample-tools summary").click()
    expect(fixing.locator("#facts")).to_contain_text("Spread of fixed colors0 %")
    link = link_of(fixing)
    fixing.click("#viewer-close")
    until_state(fixing, "[...view.spreads.values()][0] === 0")
    until_stored(fixing, "files", 17)
    fixing.reload()
    expect_colorings(fixing, 4)
    add_more(fixing, 8)
    assert service.colorizer.options[-1].hint_spread == 0
    second = open_page(at=link)
    upload(second)
    expect(second.locator("#run-facts")).to_contain_text("1 fixed color, spread 0 %")
    second.click("#fix")
    expect(second.locator("#hint-spread-out")).to_have_text("0 %")
    assert [each.hint_spread for each in service.colorizer.options] == [0]  # opening the page forgets those before


def test_changes_that_colorings_follow_together_are_one_undo_step(fixing) -> None:
    """Else undo in the grid would lead to fixed colors that the colorings there do not follow."""
    fix(fixing, 0.75, "sky", 1)
    press = "(each, value) => { each.value = value; each.dispatchEvent(new Event('change')); }"
    spread = fixing.locator("#hint-spread")
    spread.evaluate(f"each => ['0.55', '0.6', '0.5'].forEach((value) => ({press})(each, value))")  # as it was
    fixing.wait_for_timeout(600)  # longer than colorings wait for the next change
    fix(fixing, 0.25, "stone", 2)
    spread.evaluate(f"each => ['0.55', '0.6', '0.65'].forEach((value) => ({press})(each, value))")
    expect(fixing.locator("#run-facts")).to_contain_text("2 fixed colors, spread 65 %")
    fixing.click("#viewer-close")
    for facts in ("2 fixed colors · ", "1 fixed color · "):
        fixing.keyboard.press("Control+z")
        expect(fixing.locator("#run-facts")).to_contain_text(facts)
        expect(fixing.locator("#colorize")).to_contain_text("more")  # like those in the grid
    for facts in ("2 fixed colors · ", "2 fixed colors, spread 65 %"):
        fixing.keyboard.press("Control+Shift+z")
        expect(fixing.locator("#run-facts")).to_contain_text(facts)


def test_fixed_colors_of_earlier_versions_spread_as_they_did(page, open_page, upload, service) -> None:
    """Their sessions and links do not say how far; opening them draws nothing anew."""
    page.evaluate("""async () => {
      const { revive } = await moduleOfThePage('photos.js');
      const file = new File([await (await fetch('page/samples/coffee.jpg')).blob()], 'coffee.jpg');
      const photo = { file, name: 'coffee.jpg', example: null, width: 0, height: 0, runs: [] };
      const hints = [{ x: 0.5, y: 0.5, color: '#a03c28' }];
      const run = { photo, kind: 'colorizations', total: 4, fields: { seed: 3, temperature: 0.75, hints },
        slots: Array(4).fill(null), status: 'waiting', first: 0, follows: null };
      photo.runs.push(run);
      revive({ view: { photos: [photo], photo, runs: [run], hints: new Map([[photo, hints]]) }, album: [] });
    }""")
    expect_colorings(page, 4)
    assert service.colorizer.options[-1].hint_spread == 1
    linked = open_page(at="/#seed=3&temperature=0.75&n=4&index=0&hints=0.5,0.5,a03c28")
    upload(linked)
    linked.click("#viewer-close")
    for each in (page, linked):
        each.locator(".card .fix").click()
        expect(each.locator("#hint-spread-out")).to_have_text("100 %")
        each.wait_for_timeout(600)  # longer than the page's pause for further changes
    assert [each.hint_spread for each in service.colorizer.options] == [1]


def test_colors_of_another_photo_follow_fixed_colors(page, upload, color_photo, service) -> None:
    upload(page)
    borrow(page, color_photo)
    keep(page, 1)
    page.locator(".card .fix").click()
    before = page.locator("#after").get_attribute("src")
    fix(page, 0.75, "sky", 1)
    expect(page.locator("#run-title")).to_have_text("Colors of beach.png")
    plain, hinted = service.colorizer.options[-2:]
    assert (len(hinted.hints), hinted.seed, hinted.weights) == (1, plain.seed, plain.weights)
    expect(page.locator("#after")).not_to_have_attribute("src", before)
    expect(page.locator(".card.kept")).to_have_count(1)
    page.click("#viewer-close")
    expect(page.locator("#hint-count")).to_be_visible()
    add_more(page, 6)
    assert len(service.colorizer.options[-1].hints) == 1
    page.locator("#closeness").fill("1")
    expect_colorings(page, 1)
    assert (service.colorizer.options[-1].weights[0], len(service.colorizer.options[-1].hints)) == (1, 1)
    drawn = len(service.colorizer.options)
    page.locator("#history button").nth(1).click()
    page.locator(".card.new .open").first.click()
    page.click("#fix")
    page.get_by_role("button", name="Remove fixed color 1").click()
    expect(page.locator("#after")).to_have_attribute("src", before)  # the earlier ones are back
    expect(page.locator("#fix-status")).to_have_text("")
    assert [len(each.hints) for each in service.colorizer.options[drawn:]] == [0]  # of what was added with the color


def test_variations_and_steps_follow_the_fixed_colors_of_what_they_begin_with(page, upload, service) -> None:
    upload(page)
    keep(page, 0, 1)
    page.locator(".card .fix").click()
    fix(page, 0.75, "sky", 1)
    page.locator("#hint-spread").fill("0.25")
    expect(page.locator("#run-facts")).to_contain_text("spread 25 %")
    expect(page.locator("#fix-status")).to_have_text("")
    page.click("#viewer-close")
    make_steps(page, 3)
    steps = service.colorizer.options[-1]
    assert (len(steps.hints), steps.hint_spread, steps.index, steps.to_index) == (1, 0.25, 0, 1)
    page.locator("#history button").last.click()
    keep(page, 2)
    make_steps(page, 3)  # from the one without fixed colors, to the picture of the other
    steps = service.colorizer.options[-1]
    assert (steps.hints, steps.index, steps.to_index) == ((), 2, None)
    page.locator("#kept-pictures button").first.click()
    page.click("#vary")
    expect_colorings(page, 4)
    expect(page.locator("#run-facts")).to_have_text("change 30 % · 1 fixed color, spread 25 %")
    variation = service.colorizer.options[-1]
    assert (len(variation.hints), variation.hint_spread, variation.index) == (1, 0.25, 0)
    assert variation.noise_seed != variation.seed == steps.seed
    page.locator(".card.new .open").first.click()
    page.click("#vary")  # like its picture, and with its fixed colors
    expect(page.locator("#run-title")).to_have_text("More like variation 1")
    expect_colorings(page, 4)
    assert len(service.colorizer.options[-1].hints) == 1
    assert service.colorizer.references[-1] is not None


def test_variations_follow_fixed_colors_as_colorings_do(page, open_page, upload, service) -> None:
    """They stay variations of the same coloring, as different and as bold; without the colors, the first are back."""
    upload(page)
    page.locator(".card.new .open").nth(1).click()
    page.locator("#saturation").fill("0.5")
    page.click("#vary")
    expect_colorings(page, 4)
    page.locator("#boldness").fill("0")  # of further colorings
    keep(page, 2)
    plain = service.colorizer.options[-1]
    page.locator(".card .fix").click()
    expect(page.locator("#viewer-title")).to_have_text("Variation 1")  # not their source
    expect(page.locator("#fix-colorings li")).to_have_count(4)
    before = page.locator("#after").get_attribute("src")
    fix(page, 0.75, "sky", 1)
    expect(page.locator("#viewer-title")).to_have_text("Variation 1")
    expect(page.locator("#after")).not_to_have_attribute("src", before)
    drawn = service.colorizer.options[-1]
    assert len(drawn.hints) == 1
    assert replace(drawn, hints=()) == plain
    page.click("#fix-done")
    expect(page.locator("#saturation-out")).to_have_text("50 %")
    link, seen = link_of(page), pixels(page.locator("#after"))
    page.click("#viewer-close")
    expect(page.locator("#run-title")).to_have_text("More like coloring 2")
    expect(page.locator("#run-facts")).to_have_text("change 30 % · 1 fixed color")
    expect(page.locator(".card.source")).to_contain_text("Source: coloring 2")
    expect(page.get_by_role("button", name="Keep variation 3")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".card.kept")).to_have_count(1)
    add_more(page, 8)
    added = service.colorizer.options[-1]
    assert (added.index, added.hints, added.temperature) == (1, drawn.hints, plain.temperature)
    assert added.noise_seed != plain.noise_seed
    until_stored(page, "files", 17)
    page.reload()
    page.locator(".card .fix").click()
    page.get_by_role("button", name="Remove fixed color 1").click()
    expect(page.locator("#run-facts")).to_have_text("change 30 %")
    expect(page.locator("#fix-status")).to_have_text("")
    expect(page.locator("#fix-colorings li")).to_have_count(8)
    assert replace(service.colorizer.options[-1], hints=added.hints) == added  # of what was added with the color
    assert len(service.colorizer.options) == 5
    page.keyboard.press("Control+z")
    expect(page.locator("#run-facts")).to_contain_text("1 fixed color")
    page.click("#viewer-close")
    page.locator("#history button").last.click()  # the first colorings
    expect(page.locator(".badge")).to_be_hidden()
    second = open_page(at=link)
    upload(second)
    expect(second.locator("#viewer-title")).to_have_text("Variation 1")
    expect(second.locator(".badge")).to_have_text("1 fixed color")
    eventually(lambda: pixels(second.locator("#after")) == seen)  # drawing the look takes a moment
    second.click("#fix")
    fix(second, 0.25, "stone", 2)
    linked = service.colorizer.options[-1]
    assert replace(linked, hints=drawn.hints) == drawn


def test_new_variations_show_the_fixed_colors_of_their_source_alone(page, upload, service) -> None:
    """Variations that wait keep their noise: those with fixed colors may have it already."""
    upload(page)
    keep(page, 0)
    page.locator(".card .fix").click()
    fix(page, 0.75, "sky", 1)
    page.click("#viewer-close")
    page.locator("#history button").last.click()
    keep(page, 1)
    page.locator("#history button").first.click()
    expect(page.locator(".badge")).to_have_text("1 fixed color")
    page.locator("#kept-pictures button").last.click()
    expect(page.locator("#viewer-title")).to_have_text("Coloring 2")
    models = hold(page, "models", times=1)
    page.click("#vary")
    request = taken(page, models)
    expect(page.locator(".badge")).to_be_hidden()
    page.locator(".card .fix").click()
    choose(page, 0.75, "sky")
    expect(page.locator("#run-facts")).to_have_text("change 30 % · 1 fixed color")
    request.continue_()
    expect(page.locator("#fix-status")).to_have_text("")
    plain, drawn = service.colorizer.options[-2:]
    assert (plain.index, plain.hints) == (1, ())
    assert replace(drawn, hints=()) == plain


def test_steps_begin_with_fixed_colors_only_if_the_other_end_has_them(page) -> None:
    possible = page.evaluate("""async () => {
      const { canInterpolate } = await moduleOfThePage('beginnings.js');
      const { modelName } = await moduleOfThePage('served.js');
      const { store } = await moduleOfThePage('store.js');
      const of = (hint_spread, kind = 'colorizations', color = '#a03c28') => {
        const fields = hint_spread === null ? {} : { hints: [{ x: 0, y: 0, color }], hint_spread };
        return { model: modelName(store.model), run: { kind, temperature: 0.6, fields } };
      };
      const plain = of(null);
      const possible = [[of(1), of(1)], [of(0.5), of(0.5, 'variations')], [of(0.5), plain],
        [of(1, 'transfers'), plain]];
      const impossible = [[of(1), of(1, 'variations')], [of(0.5), of(null, 'variations')], [of(0.5), of(0.25)],
        [of(0.5), of(0.5, 'colorizations', '#000000')]];
      return [...possible, ...impossible].map((pair) => canInterpolate(pair));
    }""")
    assert possible == [True] * 4 + [False] * 4


def begin_to_fix(page: Page, held: list[Route]) -> Route:
    """Fix a color in full view, and see the tools again before it is drawn; return the held request for it."""
    page.click("#fix")
    choose(page, 0.75, "sky")
    route = taken(page, held)
    page.click("#fix-done")
    return route


def test_a_fixed_color_keeps_the_look(page, upload) -> None:
    upload(page)
    page.locator(".card.new .open").nth(1).click()
    page.locator("#saturation").fill("0.5")
    page.locator("#warmth").fill("0.3")
    page.click("#fix")
    for count, (x, name) in enumerate([(0.75, "sky"), (0.6, "grass")], 1):
        fix(page, x, name, count)
    page.click("#fix-done")
    expect(page.locator("#look-note")).to_be_visible()
    expect(page.locator("#viewer-title")).to_have_text("Coloring 2")
    expect(page.locator("#chance")).to_contain_text("of this photo's 8 colorings")  # without those of one fixed color
    expect(page.locator("#saturation-out")).to_have_text("50 %")
    expect(page.locator("#warmth-out")).to_have_text("+30")
    expect(page.locator("#look-reset")).to_be_visible()
    page.click("#next")  # each has its own
    expect(page.locator("#saturation-out")).to_have_text("100 %")
    expect(page.locator("#look-note")).to_be_hidden()
    page.click("#previous")
    page.locator("#saturation").fill("0.25")
    page.click("#fix")
    for _ in range(2):
        page.get_by_role("button", name="Remove fixed color 1").click()
    followed(page, 0)
    page.click("#fix-done")
    expect(page.locator("#saturation-out")).to_have_text("25 %")  # the earlier colorings, with the current look
    page.click("#next")
    expect(page.locator("#saturation-out")).to_have_text("100 %")
    page.click("#previous")
    held = hold(page, "colorizations")
    begin_to_fix(page, held)
    page.locator("#saturation").fill("0.6")
    page.click("#fix")
    page.get_by_role("button", name="Remove fixed color 1").click()
    followed(page, 0)
    page.click("#fix-done")
    expect(page.locator("#saturation-out")).to_have_text("60 %")  # also if the color is removed before it is drawn
    page.click("#next")
    route = begin_to_fix(page, held)
    before = page.locator("#after").get_attribute("src")
    page.click("#keep")  # while the colorings are drawn again
    for share in ("0.9", "0.75"):
        page.locator("#saturation").fill(share)
    route.continue_()
    expect(page.locator("#run-progress")).to_be_hidden()
    expect(page.locator("#after")).not_to_have_attribute("src", before)
    expect(page.locator("#facts dt", has_text="Fixed color 1")).to_have_count(1)
    for share in ("75 %", "90 %", "100 %"):
        expect(page.locator("#saturation-out")).to_have_text(share)
        expect(page.locator("#keep")).to_have_attribute("aria-pressed", "true")
        page.keyboard.press("Control+z")
    expect(page.locator("#keep")).to_have_attribute("aria-pressed", "false")


def test_a_fixed_color_keeps_the_heart(page, upload) -> None:
    """Also if the page is reloaded before the coloring with the fixed color has come."""
    upload(page)
    keep(page, 1)
    picture = page.locator("#kept-pictures img")
    before = picture.get_attribute("src")
    page.locator(".card .fix").click()
    for count, (x, name) in enumerate([(0.75, "sky"), (0.6, "grass")], 1):
        fix(page, x, name, count)
        expect(page.locator("#kept-words")).to_have_text("1 kept")
        expect(picture).not_to_have_attribute("src", before)
    for _ in range(2):
        page.keyboard.press("Control+z")
    followed(page, 0)
    expect(picture).to_have_attribute("src", before)
    fix(page, 0.75, "sky", 1)
    page.get_by_role("button", name="Remove fixed color 1").click()
    followed(page, 0)
    expect(picture).to_have_attribute("src", before)
    held = hold(page, "colorizations")
    choose(page, 0.75, "sky")
    taken(page, held)
    page.unroute("**/v1/colorizations")  # first: the page asks again while it loads
    page.reload()
    expect(page.locator(".card.new")).to_have_count(4)
    expect(page.get_by_role("button", name="Keep coloring 2")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".card.kept")).to_have_count(1)
    expect(page.locator("#kept-words")).to_have_text("1 kept")


def test_after_more_all_colorings_follow_the_one_that_is_looked_at_first(page, upload, service) -> None:
    """Undo finishes work that a further color stopped. Without colors, only colorings added with them are drawn."""
    upload(page)
    add_more(page, 8)
    seeds = [each.seed for each in service.colorizer.options]
    assert seeds[0] != seeds[1]
    page.locator(".card.new .open").nth(5).click()
    page.click("#fix")
    before = page.locator("#after").get_attribute("src")
    fix(page, 0.75, "sky", 1)
    drawn = [(each.seed, each.offset, len(each.hints)) for each in service.colorizer.options[2:]]
    assert drawn == [(seeds[1], 0, 1), (seeds[0], 0, 1)]
    expect(page.locator("#viewer-title")).to_have_text("Coloring 6")
    expect(page.locator("#after")).not_to_have_attribute("src", before)
    expect(page.locator("#fix-colorings li")).to_have_count(8)
    fix(page, 0.6, "grass", 2)
    assert [each.seed for each in service.colorizer.options[4:]] == seeds[::-1]
    for _ in range(2):
        page.get_by_role("button", name="Remove fixed color 1").click()
    followed(page, 0)
    expect(page.locator("#after")).to_have_attribute("src", before)  # earlier colorings are back, and none is drawn
    expect(page.locator("#viewer-title")).to_have_text("Coloring 6")
    assert len(service.colorizer.options) == 6
    page.click("#fix-done")
    page.click("#viewer-close")
    expect(page.locator(".card.new")).to_have_count(8)
    expect(page.locator(".badge")).to_have_count(0)
    page.locator(".card.new .open").first.click()
    before = page.locator("#after").get_attribute("src")
    page.click("#fix")
    held = hold(page, "colorizations", times=1, after=1)
    choose(page, 0.75, "gold")
    expect(page.locator("#fix-colorings li")).to_have_count(4)
    expect(page.locator("#fix-status")).to_have_text("Coloring again …")
    taken(page, held)
    fix(page, 0.6, "grass", 2)
    expect(page.locator("#fix-colorings li")).to_have_count(8)
    page.keyboard.press("Control+z")
    followed(page, 1)
    expect(page.locator("#fix-colorings li")).to_have_count(8)
    page.click("#fix-done")
    page.click("#viewer-close")
    add_more(page, 12)
    page.locator(".card.new .open").first.click()
    page.click("#fix")
    page.get_by_role("button", name="Remove fixed color 1").click()
    followed(page, 0)
    expect(page.locator("#after")).to_have_attribute("src", before)
    expect(page.locator("#fix-colorings li")).to_have_count(12)
    (added, hints), last = [(each.seed, len(each.hints)) for each in service.colorizer.options[-2:]]
    assert hints == 1
    assert last == (added, 0)


def test_a_coloring_that_is_not_in_the_grid_has_no_neighbors_and_brings_its_own(page, upload, service) -> None:
    upload(page)
    keep(page, 1)
    colorize_again(page, 77)
    expect_colorings(page, 4)
    page.locator("#kept-pictures button").first.click()
    expect(page.locator("#viewer-title")).to_have_text("Coloring 2")
    expect(page.locator("#next, #previous").filter(visible=True)).to_have_count(0)
    before = page.locator("#after").get_attribute("src")
    page.click("#fix")
    fix(page, 0.75, "sky", 1)
    assert service.colorizer.options[-1].seed == service.colorizer.options[0].seed
    expect(page.locator("#after")).not_to_have_attribute("src", before)
    expect(page.locator("#viewer-title")).to_have_text("Coloring 2")


def test_one_color_too_many_is_told_also_in_a_browser_without_eyedropper_and_storage(open_page, upload) -> None:
    """The page has no eyedropper button there, and works without storage, which it says once a photo is there."""
    points = ";".join(f"0.{i + 10},0.5,a03c28" for i in range(32))
    page = open_page(None)
    page.add_init_script("delete window.EyeDropper")
    page.add_init_script("Object.defineProperty(window, 'indexedDB', { get() { throw new Error('none') } })")
    page.goto(f"/#seed=3&n=4&index=0&hints={points}")
    expect(page.locator("#model")).not_to_be_empty()
    expect(page.get_by_role("alert")).to_have_count(0)
    upload(page)
    expect(page.locator("#notices")).to_contain_text("a reload would lose everything new")
    assert page.get_by_role("alert").count() <= 1
    page.click("#fix")
    expect(page.locator("#hint-list li")).to_have_count(32)
    page.click("#hint-add")
    expect(page.locator("#viewer #notices")).to_contain_text("A photo takes at most 32 fixed colors.")
    expect(page.locator("#palette")).to_be_hidden()
    page.get_by_role("button", name="Remove fixed color 1", exact=True).click()
    page.click("#hint-add")
    expect(page.locator("#palette-color")).to_be_visible()
    expect(page.locator("#palette-pick")).to_be_hidden()
