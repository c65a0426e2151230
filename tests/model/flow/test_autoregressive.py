"""The coarsest level: each cell depends on earlier cells only, and given cells stay unchanged."""

import copy
import math

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from model.flow.autoregressive import AutoregressiveLevel
from model.flow.cell_order import CALM_TEMPERATURE, DISTILLED_TEMPERATURE, dispersed_order
from model.flow.cells import CellDecoder, CellStream, Prior
from model.flow.config import AutoregressiveConfig, PriorConfig
from model.flow.mixture import Mixture
from model.flow.sizes import CELLS
from tests.networks import draw, generator, spread


@pytest.fixture(scope="module")
def level() -> AutoregressiveLevel:
    config = AutoregressiveConfig(width=16, heads=2, encoder_blocks=1, decoder_blocks=2, components=3)
    level = AutoregressiveLevel(config, generator()).double()
    spread(level)
    level.mean.fill_(0.3)
    level.std.fill_(1.4)
    return level.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def distilled(level: AutoregressiveLevel) -> CellDecoder:
    decoder = CellDecoder(level.config, generator()).double()
    spread(decoder, seed=6)
    return decoder.eval().requires_grad_(False)


def ones(rows: int) -> Tensor:
    return torch.ones(rows, dtype=torch.float64)


def test_every_prefix_of_the_order_covers_the_photo_evenly() -> None:
    order = dispersed_order()
    assert sorted(order.tolist()) == list(range(CELLS))
    for count, side in ((4, 2), (16, 4)):
        cells = {(int(i) // 8 * side // 8, int(i) % 8 * side // 8) for i in order[:count]}
        assert len(cells) == count  # one in each block of the photo


def test_a_cell_depends_on_those_before_it_alone(level: AutoregressiveLevel) -> None:
    photo, x = draw(1, CELLS, 16), draw(1, CELLS, 2)
    changed = x.clone()
    changed[:, 20] += 1
    before, after = (level.mixtures(cells, photo).means for cells in (x, changed))
    assert_close(before[:, :21], after[:, :21], rtol=0, atol=0)
    assert (before[:, 21:] - after[:, 21:]).abs().amax((2, 3)).min() > 1e-4


def test_the_density_is_the_same_cell_by_cell_and_all_at_once(level: AutoregressiveLevel) -> None:
    photo, z = draw(2, CELLS, 16), draw(2, 2 * CELLS)
    x = level.draw(z, photo, ones(2), level)
    back, log_det = level(x, photo)
    assert_close(back, z)
    gaussian = -0.5 * z.square().sum(1) - CELLS * math.log(2 * math.pi)
    assert_close(gaussian + log_det, level.log_prob(x, photo).sum(1) - CELLS * level.std.log().sum())


def test_given_cells_stay_and_the_others_heed_them(level: AutoregressiveLevel) -> None:
    photo, z = draw(1, CELLS, 16), draw(2, 2 * CELLS)
    given = torch.full((2, 2, 8, 8), math.nan, dtype=torch.float64)
    given[0, :, 6, 1], given[0, :, 2, 5] = 3.0, -2.0
    x, free = level.draw(z, photo, ones(2), level, given), level.draw(z, photo, ones(2), level)
    known = given[0].isfinite()
    assert_close(x[0][known], given[0][known])
    assert (x[0] - free[0])[~known].abs().mean() > 1e-3
    assert_close(x[1], free[1])  # the other row has no given cells


@pytest.mark.parametrize("tolerance", [0.0, 1e-4, 1e-3, math.inf])
def test_a_cell_keeps_its_color_unless_given_cells_make_it_much_less_plausible(
    level: AutoregressiveLevel, tolerance: float
) -> None:
    photo, z = draw(1, CELLS, 16), draw(1, 2 * CELLS)
    given = torch.full((1, 2, 8, 8), math.nan, dtype=torch.float64)
    given[0, :, 3, 3] = 4.0
    x, free = (level.draw(z, photo, ones(1), level, each, tolerance * ones(1)) for each in (given, None))
    before, _ = level.in_order(free)
    prior = level.mixtures(before, photo).log_prob(before)[0]
    order, _ = level.known_first(given, 1)
    cells, _ = level.in_order(x, order)
    mixtures = level.mixtures(cells, photo, order)
    ranks = level.order.argsort()[order[0]]
    loss = prior[ranks] - mixtures.log_prob(before[:, ranks])[0]
    drawn = mixtures._quantiles(z.view(1, CELLS, 2)[:, ranks])
    keeps = (loss <= tolerance) & (tolerance > 0)
    expected = torch.where(keeps[:, None], before[0, ranks], drawn[0])
    assert_close(cells[0, 1:], expected[1:])
    assert keeps[1:].double().mean() == {0.0: 0, math.inf: 1}.get(tolerance, pytest.approx(0.5, abs=0.49))


def test_hints_first_is_what_training_sees(level: AutoregressiveLevel) -> None:
    """A draw with given cells follows the density of `log_prob` in the order that begins with these cells."""
    photo, z = draw(1, CELLS, 16), draw(1, 2 * CELLS)
    given = torch.full((1, 2, 8, 8), math.nan, dtype=torch.float64)
    given[0, :, 3, 3] = 1.5
    x = level.draw(z, photo, ones(1), level, given)
    cell = 3 * 8 + 3
    order = torch.cat((torch.tensor([cell]), level.order[level.order != cell]))
    cells = level.standardize(x).flatten(2).mT[:, order]
    mixtures = level.mixtures(cells, photo, order)
    latents, _ = mixtures.forward(cells)
    ranks = level.order.argsort()
    expected = z.view(1, CELLS, 2)[:, ranks[order[1:]]]
    assert_close(latents[:, 1:], expected)


def test_cold_draws_are_colder_between_the_first_cells_and_warm_ones_all_alike(level: AutoregressiveLevel) -> None:
    given = torch.full((1, 2, 8, 8), math.nan, dtype=torch.float64)
    given[..., 5, 5] = 0.5
    temperature = torch.tensor([0.6, DISTILLED_TEMPERATURE, 1.0, 1.3], dtype=torch.float64)
    drawn = level.draw_order(draw(4, 2 * CELLS), temperature, given.expand(4, -1, -1, -1))
    by_cell = torch.zeros(4, CELLS, dtype=torch.float64).scatter(1, drawn.order, drawn.temperatures)[:, level.order]
    alike = torch.tensor([1.0, 1.0, 1.3], dtype=torch.float64)
    assert_close(by_cell[1:], alike[:, None].expand(-1, CELLS))  # a given cell comes first and changes no other cell
    assert_close(by_cell[0, :4], (temperature[:1] / DISTILLED_TEMPERATURE).expand(4))
    assert (by_cell[0].diff() <= 0).all()
    assert by_cell[0, -1] < by_cell[0, 4] < by_cell[0, 3]


@pytest.mark.parametrize("temperature", [0.1, CALM_TEMPERATURE, 0.5, DISTILLED_TEMPERATURE, 0.9, 1.0])
def test_every_cell_is_drawn_from_both_decoders_by_temperature(
    level: AutoregressiveLevel, distilled: CellDecoder, temperature: float
) -> None:
    photo, z = draw(1, CELLS, 16), draw(1, 2 * CELLS)
    x = level.draw(z, photo, temperature * ones(1), distilled)
    cells, order = level.in_order(x)
    known = level.draw_order(z, temperature * ones(1), None)
    share = {0.1: 0.75, 0.9: 0.5, 1.0: 1.0}.get(temperature, 0.0)
    assert_close(known.share, share * ones(1))
    told = level.told(photo, order)
    outputs = []
    for decoder in (level, distilled):
        stream = CellStream(decoder, *told)
        steps = []
        for i in range(CELLS):
            steps.append(stream.next())
            stream.tell(cells[:, i : i + 1])
        outputs.append(torch.stack(steps, 1))
    mixtures = Mixture.from_output(share * outputs[0] + (1 - share) * outputs[1])
    expected, _ = mixtures.tempered(known.temperatures).inverse(known.latents)
    assert_close(cells, expected, rtol=1e-6, atol=1e-6)


@pytest.fixture(scope="module")
def prior() -> Prior:
    prior = Prior(PriorConfig(width=8, heads=2, decoder_blocks=1, components=4), generator())
    spread(prior.double(), gain=1.0)
    return prior.eval().requires_grad_(False)


def test_the_prior_s_density_is_that_of_cells_in_any_order(prior: Prior) -> None:
    """Each cell's mixture depends on earlier cells only, and every parameter counts."""
    x, order = draw(2, CELLS, 2), torch.from_numpy(dispersed_order()).roll(5).expand(2, -1)
    changed = x.clone()
    changed[:, 20] += 1
    before, after = (prior.log_prob(each, order) for each in (x, changed))
    assert_close(before[:, :20], after[:, :20], rtol=0, atol=0)
    assert (before[:, 20:] - after[:, 20:]).abs().min() > 1e-6
    again = copy.deepcopy(prior).requires_grad_(True)
    again.log_prob(x, order).sum().backward()
    assert [name for name, p in again.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []
