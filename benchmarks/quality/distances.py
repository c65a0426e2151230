"""Distances between a method's pictures and true photos as distributions: KID and FID of their features."""

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.bootstrap import Weights

__all__ = ["Fid", "Kid"]

Features = NDArray[np.float32]


class Kid:
    """Unbiased squared maximum mean discrepancy with the kernel (x·y/d + 1)³; may be below 0 by chance.

    Pictures of one photo are never compared with each other: every photo is in both sets, so this would lower the
    distance. Source: Bińkowski et al. 2018 (arXiv 1801.01401).
    """

    def __init__(self, samples: Features, truth: Features) -> None:
        """Take features of samples, (N, S, D), S pictures of each photo, and of the truth, (N, D)."""
        photos, count, dims = samples.shape
        x = truth.astype(np.float64) / np.sqrt(dims)
        y = samples.reshape(photos * count, dims).astype(np.float64) / np.sqrt(dims)
        within_truth = (x @ x.T + 1) ** 3
        within = ((y @ y.T + 1) ** 3).reshape(photos, count, photos, count).mean((1, 3))
        across = ((x @ y.T + 1) ** 3).reshape(photos, photos, count).mean(2)
        self.discrepancy = within_truth + within - across - across.T
        np.fill_diagonal(self.discrepancy, 0)

    def __call__(self, weights: Weights) -> float:
        """Return the distance where each photo counts as often as its weight says; NaN for fewer than two photos."""
        pairs = weights.sum() ** 2 - np.square(weights).sum()
        return float(weights @ self.discrepancy @ weights / pairs) if pairs else float("nan")


class Fid:
    """Fréchet distance of two Gaussians with the features' means and covariances.

    It is far too large below some 10,000 photos, and the more so the fewer they are: compare it only between methods on
    the same photos. Source: Heusel et al. 2017 (arXiv 1706.08500).
    """

    def __init__(self, samples: Features, truth: Features) -> None:
        """Take features of samples, (N, D), one picture of each photo, and of the truth, (N, D)."""
        self.samples, self.truth = samples.astype(np.float64), truth.astype(np.float64)

    def __call__(self, weights: Weights) -> float:
        """Return the distance where each photo counts as often as its weight says; NaN for fewer than two photos."""
        total = weights.sum()
        if total < 2:
            return float("nan")
        means, centred = [], []
        for features in (self.samples, self.truth):
            means.append(weights @ features / total)
            root = (features - means[-1]) * np.sqrt(weights / (total - 1))[:, None]
            centred.append(np.asarray(np.linalg.qr(root, "r")) if len(root) > root.shape[1] else root)  # RᵀR = AᵀA
        # Σ₁ = AᵀA and Σ₂ = BᵀB, so the trace of (Σ₁Σ₂)^½ is the sum of the singular values of ABᵀ, at most N×N.
        product = centred[0] @ centred[1].T
        singular = np.sqrt(np.linalg.eigvalsh(product @ product.T).clip(0))
        spread = sum(float(np.square(part).sum()) for part in centred)
        return float(np.square(means[0] - means[1]).sum() + spread - 2 * singular.sum())
