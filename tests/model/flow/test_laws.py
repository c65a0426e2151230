"""Laws of every invertible block; a new block needs one line in BLOCKS."""

from torch import Tensor, nn

from model.flow.affine import ConditionalAffine
from model.flow.autoregressive import AutoregressiveLevel
from model.flow.config import AutoregressiveConfig, DetailConfig
from model.flow.coupling import AffineCoupling, ConvSubnet
from model.flow.detail_level import DetailCondition, DetailLevel
from model.flow.haar import HaarDownsampling
from model.flow.mixing import OrthogonalMixing
from model.flow.mixture import Mixture
from tests.model.flow.laws import Case, laws_of
from tests.networks import draw, generator


def detail_level() -> DetailLevel:
    return DetailLevel(DetailConfig(16, condition_width=4, blocks=2, width=8), generator())


def detail_condition() -> DetailCondition:
    shares = tuple(draw(3, 8, 8, 8) for _ in range(2))
    return DetailCondition(draw(3, 6, 8, 8), draw(3, 12, 8, 8), shares, draw(3, 2 * 384))


def autoregressive_level() -> AutoregressiveLevel:
    config = AutoregressiveConfig(width=8, heads=2, encoder_blocks=1, decoder_blocks=1, components=3)
    return AutoregressiveLevel(config, generator())


class MixtureBlock(nn.Module):
    """A mixture as a block that has no parameters besides its condition."""

    def forward(self, x: Tensor, condition: Mixture) -> tuple[Tensor, Tensor]:
        return condition.forward(x)

    def inverse(self, z: Tensor, condition: Mixture) -> tuple[Tensor, Tensor]:
        return condition.inverse(z)


def mixture() -> Mixture:
    return Mixture.from_output(draw(3, 6 * 4))


BLOCKS = {
    "haar": Case(HaarDownsampling, (3, 2, 4, 6), lambda: None),
    "mixing of maps": Case(lambda: OrthogonalMixing(6, generator()), (3, 6, 2, 2), lambda: None),
    "mixing of vectors": Case(lambda: OrthogonalMixing(7, generator()), (3, 7), lambda: None),
    "conditional affine": Case(ConditionalAffine, (3, 4, 2, 3), lambda: draw(3, 8, 2, 3)),
    "conditional affine, one photo": Case(ConditionalAffine, (3, 4, 2, 3), lambda: draw(1, 8, 2, 3)),
    "conv coupling": Case(lambda: AffineCoupling(6, ConvSubnet, 8), (3, 6, 4, 4), lambda: draw(3, 8, 4, 4)),
    "odd conv coupling": Case(lambda: AffineCoupling(5, ConvSubnet, 8), (3, 5, 3, 4), lambda: draw(1, 8, 3, 4)),
    "detail level": Case(detail_level, (3, 6, 8, 8), detail_condition),
    "autoregressive level": Case(autoregressive_level, (3, 2, 8, 8), lambda: draw(3, 64, 8)),
    "autoregressive level, one photo": Case(autoregressive_level, (3, 2, 8, 8), lambda: draw(1, 64, 8)),
    "mixture": Case(MixtureBlock, (3, 2), mixture),
}

test_the_law_holds = laws_of(BLOCKS)
