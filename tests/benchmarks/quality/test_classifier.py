"""The classifier that judges colorings knows what it sees."""

import numpy as np
import pytest
import skimage.data

from benchmarks.quality.classifier import Classifier, load_classifier
from benchmarks.quality.collection import square

ESPRESSO, CUP = 967, 968
CATS = {281, 282, 283, 284, 285}


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return load_classifier("cpu")


def test_it_recognizes_photos(classifier: Classifier) -> None:
    judged = classifier.judge(np.stack([square(skimage.data.coffee()), square(skimage.data.chelsea())]))
    assert judged.features.shape == (2, 1280)
    assert judged.ranking[0, 0] in (ESPRESSO, CUP)
    assert judged.ranking[1, 0] in CATS


def test_a_picture_is_judged_alone(classifier: Classifier) -> None:
    coffee, cat = square(skimage.data.coffee()), square(skimage.data.chelsea())
    together, alone = classifier.judge(np.stack([coffee, cat])), classifier.judge(coffee[None])
    # Batches of another size may take other kernels, which add up in another order.
    np.testing.assert_allclose(together.features[0], alone.features[0], atol=1e-3)
    assert together.ranking[0, 0] == alone.ranking[0, 0]
