"""A finer level of the conditional wavelet flow: the Haar details between one size of a*b* and the next."""

import math
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.flow.affine import ConditionalAffine
from model.flow.composition import Step, alternate, module_list, run, run_inverse, zeroed
from model.flow.config import DetailConfig
from model.flow.constants import COARSER_LIMIT, DETAIL_CHANNELS, RECALL_WIDTH, TAPS
from model.flow.coupling import AffineCoupling, ConvSubnet
from model.flow.haar import split
from model.flow.mixing import OrthogonalMixing
from model.flow.propagation import propagate
from model.flow.residual import ResidualBlock
from model.flow.sizes import SIDE

__all__ = ["DetailCondition", "DetailLevel"]


class DetailCondition(NamedTuple):
    """The parts of the condition that a level's layers take."""

    prediction: Tensor
    """(B, 6, size/2, size/2): details of the propagated coarser a*b*"""
    first: Tensor
    """(B, 12, size/2, size/2), for the first conditional affine layer"""
    shares: tuple[Tensor, ...]
    """(B, width, size/2, size/2) for each coupling block"""
    last: Tensor
    """(B, 2·dims), for the last conditional affine layer"""

    def of_first(self, count: int) -> "DetailCondition":
        """Return the condition of a batch's first photos."""
        shares = tuple(share[:count] for share in self.shares)
        return DetailCondition(self.prediction[:count], self.first[:count], shares, self.last[:count])


class Recall(nn.Module):
    """Attention of every pixel to the cells of the coarsest a*b*: a hand finds the color of the face.

    The attention depends on the photo alone; each head returns one mixture of the cells' colors. Source:
    Vaswani et al. 2017 (arXiv 1706.03762), with colors for values as in Zhang et al. 2019 (arXiv 1906.09909).
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        # without heads there are no weights
        layers = [nn.Conv2d(width, heads * RECALL_WIDTH, 1) if heads else nn.Identity() for _ in range(2)]
        self.query, self.key = cast(list[nn.Conv2d], layers)

    def forward(self, photo: Tensor, coarser: Tensor) -> Tensor:
        """photo: (B, width, S, S). coarser: (B, 2, s, s). Returns (B, heads, 2, S, S)."""
        size = photo.shape[-1]
        if not self.heads:
            return coarser.new_empty(len(coarser), 0, 2, size, size)
        cells = F.avg_pool2d(coarser, coarser.shape[-1] // SIDE).flatten(2)[:, None]
        query = self.query(photo).unflatten(1, (self.heads, RECALL_WIDTH)).flatten(3)
        key = self.key(F.avg_pool2d(photo, size // SIDE)).unflatten(1, (self.heads, RECALL_WIDTH)).flatten(3)
        scores = query.transpose(-1, -2) @ key / math.sqrt(RECALL_WIDTH)
        shares = scores.to(coarser.dtype).softmax(-1)
        colors = cells @ shares.transpose(-1, -2)
        return colors.unflatten(3, (size, size))


class DetailLevel(nn.Module):
    """Conditional flow of the Haar details, (B, 6, size/2, size/2), to latents (B, dims).

    The coarser a*b* are propagated along the decoder's map of the photo. The difference between the details and those
    of the propagated map goes through a conditional affine, coupling blocks with orthogonal mixing, and another affine.
    """

    std: Tensor

    def __init__(self, config: DetailConfig, generator: torch.Generator) -> None:
        super().__init__()
        self.config = config
        grid = config.size // 2
        self.data_shape = (DETAIL_CHANNELS, grid, grid)
        self.dims = config.dims
        self.register_buffer("std", torch.ones(DETAIL_CHANNELS, 1, 1))
        self.affine = ConditionalAffine()
        width = config.condition_width
        self.recall = Recall(width, config.recalled)
        self.coarser = nn.Conv2d(4 + 2 * config.recalled, width, 3, padding=1)
        self.joint = nn.Sequential(*(ResidualBlock(width, config.joint_width) for _ in range(config.joint_blocks)))
        self.logits = nn.Conv2d(width, TAPS**2 + config.recalled, 1)
        self.shares = nn.Conv2d(4 * width, config.blocks * config.width, 1)
        self.ends = zeroed(nn.Conv2d(4 * width, 2 * 2 * DETAIL_CHANNELS, 1))
        blocks = range(config.blocks)
        self.couplings = module_list(AffineCoupling(DETAIL_CHANNELS, ConvSubnet, config.width) for _ in blocks)
        self.mixings = module_list(OrthogonalMixing(DETAIL_CHANNELS, generator) for _ in blocks)

    def sample_condition(self, photo: Tensor, coarser: Tensor) -> DetailCondition:
        """Compute every layer's part of the condition.

        photo: (B, condition_width, size, size), the decoder's map. coarser: (B, 2, size/2, size/2) standardized a*b*.
        """
        return self.condition_from(coarser, *self.hidden(photo, coarser))

    def condition_from(self, coarser: Tensor, h: Tensor, recalled: Tensor) -> DetailCondition:
        """Finish `sample_condition` with the result of `hidden`."""
        prediction = split(propagate(coarser, self.logits(h), recalled))[1]
        packed = F.pixel_unshuffle(h, 2)
        first, last = self.ends(packed).chunk(2, 1)
        shares = self.shares(packed).chunk(self.config.blocks, 1)
        return DetailCondition(prediction, first, shares, last.flatten(1))

    def hidden(self, photo: Tensor, coarser: Tensor) -> tuple[Tensor, Tensor]:
        """Join the photo and the coarser a*b*, (B, condition_width, size, size), and recall colors.

        The colors are (B, heads, 2, size, size). See `sample_condition` for the arguments.
        """
        seen = coarser.clamp(-COARSER_LIMIT, COARSER_LIMIT)
        nearest = F.interpolate(seen, scale_factor=2, mode="nearest")
        smooth = F.interpolate(seen, scale_factor=2, mode="bilinear", align_corners=False)
        recalled = self.recall(photo, seen)
        colors = torch.cat((nearest, smooth, recalled.flatten(1, 2)), 1)
        return F.relu(self.joint(photo + self.coarser(colors))), recalled

    def forward(self, x: Tensor, condition: DetailCondition) -> tuple[Tensor, Tensor]:
        """x: (B, *data_shape). Returns the latent (B, dims) and the log-det."""
        x, log_det = run(self._steps(condition), (x - condition.prediction) / self.std)
        z, part = self.affine(x.flatten(1), condition.last)
        return z, log_det + part - self._log_scale()

    def inverse(self, z: Tensor, condition: DetailCondition) -> tuple[Tensor, Tensor]:
        """z: (B, dims). Returns (B, *data_shape) and the log-det of the inverse."""
        x, log_det = self.affine.inverse(z, condition.last)
        x, part = run_inverse(self._steps(condition), x.view(-1, *self.data_shape))
        return x * self.std + condition.prediction, log_det + part + self._log_scale()

    @property
    def subnets(self) -> list[ConvSubnet]:
        return [cast(ConvSubnet, coupling.subnet) for coupling in self.couplings]

    def _steps(self, condition: DetailCondition) -> list[Step]:
        return [(self.affine, condition.first), *alternate(self.couplings, self.mixings, condition.shares)]

    def _log_scale(self) -> Tensor:
        """Log-det of the inverse's multiplication by `std`."""
        return self.std.log().sum() * (self.dims // DETAIL_CHANNELS)
