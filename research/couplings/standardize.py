"""Means and scales of the training photos, set before the first step."""

from research.couplings.cinn import CouplingCinn
from research.couplings.objective import level_data
from training.dataset import FeatureDataset
from training.standardize import draw_chroma

__all__ = ["standardize"]


def standardize(cinn: CouplingCinn, dataset: FeatureDataset) -> None:
    """Set the mean and standard deviation of a* and b*, then each level's mean and scale.

    Details keep a mean of 0, so that a latent of 0 adds none.
    """
    chroma = draw_chroma(dataset).to(cinn.chroma_mean.device)
    cinn.chroma_mean.copy_(chroma.mean((0, 2, 3))[:, None, None])
    cinn.chroma_std.copy_(chroma.std((0, 2, 3))[:, None, None])
    for level, flow in enumerate(cinn.levels):
        data, _ = level_data(cinn, level, chroma)
        if level == 0:
            flow.mean.copy_(data.mean((0, 2, 3))[:, None, None])
        flow.std.copy_(data.std((0, 2, 3))[:, None, None])
