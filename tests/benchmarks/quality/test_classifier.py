"""The classifier that judges colorings recognizes photos."""

import numpy as np
import skimage.data

from benchmarks.quality.classifier import load_classifier
from benchmarks.quality.collection import square

ESPRESSO, CUP = 967, 968
CATS = {281, 282, 283, 284, 285}


def test_it_recognizes_photos_and_judges_each_alone() -> None:
    classifier = load_classifier("cpu")
    coffee, cat = square(skimage.data.coffee()), square(skimage.data.chelsea())
    together, alone = classifier.judge(np.stack([coffee, cat])), classifier.judge(coffee[None])
    assert together.features.shape == (2, 1280)
    assert together.ranking[0, 0] in (ESPRESSO, CUP)
    assert together.ranking[1, 0] in CATS
    # A batch of another size may use another kernel, which sums in another order.
    np.testing.assert_allclose(together.features[0], alone.features[0], atol=1e-3)
    assert together.ranking[0, 0] == alone.ranking[0, 0]
