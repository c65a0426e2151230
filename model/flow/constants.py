"""Fixed numbers of the network, shared by the torch definition and the graphs for CPUs."""

__all__ = [
    "AFFINE_LIMIT",
    "CHROMA_LIMIT",
    "COARSER_LIMIT",
    "DETAIL_CHANNELS",
    "EARLY_STAGES",
    "FEATURE_CHANNELS",
    "FREQUENCIES",
    "HAAR_KERNELS",
    "INPUT_LIMIT",
    "NORM_EPSILON",
    "PRIOR_SHARE",
    "RECALL_WIDTH",
    "SCALE_LIMIT",
    "SKIPS",
    "SMALL_LIGHTNESS",
    "STEM_STRIDE",
    "TAPS",
]

# the condition network and the decoder
STEM_STRIDE = 2
EARLY_STAGES = 3
"""Stages up to 32×32, whose output is `at_32`: the costliest and most general ones, not trained for color."""
FEATURE_CHANNELS = {"at_32": (32, 40), "at_16": (16, 112), "at_8": (8, 320), "at_1": (1, 1280)}
"""Size and channel count of each feature map."""
SMALL_LIGHTNESS = 128
"""Side at which levels see the lightness itself, for detail that h has lost."""
SKIPS = {16: "at_16", 32: "at_32"}
"""Features of h that join on the way down."""
NORM_EPSILON = 1e-5
"""Added to the variance in layer norms."""

# the coarsest level
FREQUENCIES = (1.0, 2.0, 4.0)
"""Frequencies of the sines and cosines that encode a cell's standardized a*b*."""
CHROMA_LIMIT = 6.0
"""Cells are clamped to this many standard deviations as input. No photo reaches them, but a warm sample may."""
PRIOR_SHARE = 0.45
"""λ of the untrained reward: the share of the prior's log-density that is subtracted."""

# the finer levels
DETAIL_CHANNELS = 6
"""Three Haar details of a* and b*."""
HAAR_KERNELS = ((0.5, 0.5, 0.5, 0.5), (0.5, -0.5, 0.5, -0.5), (0.5, 0.5, -0.5, -0.5), (0.5, -0.5, -0.5, 0.5))
"""Rows: mean, horizontal, vertical and diagonal difference of a 2×2 patch; orthonormal, so log-det = 0."""
TAPS = 5
"""Side of the neighborhood of coarser pixels from which a pixel may take its color."""
RECALL_WIDTH = 32
"""Channels of one head of a level's attention to the cells."""
COARSER_LIMIT = 6.0
"""Coarser a*b* are clamped to this many standard deviations as input. No photo reaches them, but a sample may."""
AFFINE_LIMIT = 4.0
"""α of the soft clamp: the conditional affine layer scales by at most e^±4."""
SCALE_LIMIT = 1.5
"""α of the soft clamp: one coupling block scales by at most e^±1.5."""
INPUT_LIMIT = 3.0
"""Couplings' subnets see their input soft-clamped to this many standard deviations.

A ReLU subnet's scale and shift grow with its input. So without a clamp, every block of the inverse pushes a latent far
from the training data further out, until it overflows, in bfloat16 as in float32.
"""
