"""The authors' colorization cINN, built of FrEIA's modules with random weights, for comparisons of speed.

As in the authors' code, each of the 22 conditioned couplings has its own head, which starts from the 256 features at
64×64 of their feature network. Heads are recomputed for every sample.
Source: Ardizzone et al. 2019 (arXiv 1907.02392), and its code.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from FrEIA import framework as ff
from FrEIA import modules as fm
from torch import Tensor, nn

__all__ = ["Authors"]

FEATURES, GRID = 256, 64
HEAD_WIDTHS = (FEATURES, 128, 128, 256)
DENSE_CONDITION, DENSE_WIDTH, DENSE_BLOCKS = 512, 512, 8
CLAMP = 1.5
SECTIONS = (
    # blocks, channels, width; of the downsampling after them: kind, width of couplings, channels that stay and leave
    (4, 2, 32, fm.IRevNetDownsampling, 64, None),
    (6, 8, 64, fm.IRevNetDownsampling, 128, (16, 16)),
    (6, 16, 128, fm.IRevNetDownsampling, 256, (32, 32)),
    (6, 32, 256, fm.HaarDownsampling, 256, (32, 96)),
)


class Authors(nn.Module):
    """The authors' flow and heads; takes features in place of their feature network."""

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        features = ff.ConditionNode(FEATURES, GRID, GRID, name="features")
        vector = ff.ConditionNode(DENSE_CONDITION, name="vector")
        self._generator = generator
        self._nodes: list[Any] = [ff.InputNode(2, GRID, GRID, name="chroma")]
        self._outputs: list[Any] = []
        for level, (blocks, channels, width, downsampling, wide, split) in enumerate(SECTIONS):
            for _ in range(blocks):
                self._add(Conditioned, {"level": level, "width": width}, features)
                self._mix(channels)
            haar = {"rebalance": 0.5, "order_by_wavelet": True} if downsampling is fm.HaarDownsampling else {}
            self._add(downsampling, haar)
            for _ in range(2):
                self._mix(4 * channels)
                self._add(fm.GLOWCouplingBlock, {"clamp": CLAMP, "subnet_constructor": _convolutions(wide, 1)})
            if split is not None:
                self._add(fm.Split, {"section_sizes": split, "dim": 0})
                splitting = self._nodes[-1]
                leaving = ff.Node(splitting.out1, fm.Flatten, {})
                self._outputs += [leaving, ff.OutputNode(leaving)]
        self._add(fm.Flatten, {})
        for seed in range(DENSE_BLOCKS):
            self._add(fm.PermuteRandom, {"seed": seed})
            self._add(fm.GLOWCouplingBlock, {"clamp": CLAMP, "subnet_constructor": _dense}, vector)
        ends = [*self._outputs, ff.OutputNode(self._nodes[-1])]
        self.flow = ff.GraphINN([*self._nodes, *ends, features, vector])
        last = nn.Conv2d(256, DENSE_CONDITION, 3, stride=2, padding=1)
        end = (last, nn.AvgPool2d(4), nn.Flatten(), nn.BatchNorm1d(DENSE_CONDITION))
        self.vector = nn.Sequential(*_strided((FEATURES, 128, 256, 256)), *end)
        self.eval()

    @property
    def latents(self) -> list[int]:
        """Dimensions of each latent."""
        return [shape[0] for shape in self.flow.global_out_shapes]

    def sample(self, features: Tensor, latents: Sequence[Tensor]) -> Tensor:
        """Decode latents, (N, dim) each, to (N, 2, 64, 64), with (1, 256, 64, 64) features."""
        repeated = features.expand(len(latents[0]), -1, -1, -1)
        chroma: Tensor = self.flow(list(latents), c=[repeated, self.vector(repeated)], rev=True, jac=False)[0]
        return chroma

    def _add(self, module: type[Any], numbers: dict[str, Any], condition: Any = None) -> None:
        above = self._nodes[-1]
        self._nodes.append(ff.Node(above.out0, module, numbers, conditions=condition))

    def _mix(self, channels: int) -> None:
        matrix, _ = torch.linalg.qr(torch.randn(channels, channels, generator=self._generator))
        self._add(fm.Fixed1x1Conv, {"M": matrix})


class Conditioned(fm.InvertibleModule):  # type: ignore[misc] # FrEIA has no types
    """FrEIA's GLOW coupling, with a head of its own."""

    def __init__(self, dims_in: Any, dims_c: Any, level: int, width: int) -> None:
        super().__init__(dims_in, dims_c)
        last = nn.Conv2d(HEAD_WIDTHS[level], width, 3, padding=1)
        self.head = nn.Sequential(*_strided(HEAD_WIDTHS[: level + 1]), last, nn.BatchNorm2d(width))
        condition = (width, *dims_in[0][1:])
        subnet = _convolutions(width, 3)
        self.block = fm.GLOWCouplingBlock(dims_in, [condition], clamp=CLAMP, subnet_constructor=subnet)

    def forward(self, x: Any, c: Any = (), rev: bool = False, jac: bool = True) -> Any:
        return self.block(x, [self.head(c[0])], rev=rev, jac=jac)

    def output_dims(self, input_dims: Any) -> Any:
        return input_dims


def _strided(widths: Sequence[int]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for above, below in pairwise(widths):
        layers += [nn.Conv2d(above, below, 3, stride=2, padding=1), nn.LeakyReLU()]
    return layers


def _convolutions(width: int, kernel: int) -> Any:
    def subnet(channels_in: int, channels_out: int) -> nn.Module:
        shapes = pairwise((channels_in, width, width, channels_out))
        first, middle, last = (nn.Conv2d(*shape, kernel, padding=kernel // 2) for shape in shapes)
        return nn.Sequential(first, nn.LeakyReLU(), middle, nn.LeakyReLU(), last)

    return subnet


def _dense(channels_in: int, channels_out: int) -> nn.Module:
    shapes = pairwise((channels_in, DENSE_WIDTH, DENSE_WIDTH, DENSE_WIDTH, channels_out))
    first, second, third, last = (nn.Linear(*shape) for shape in shapes)
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), third, nn.ReLU(), last)
