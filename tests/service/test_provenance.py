"""How a coloring was made, in its file."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from model.options import Hint, InterpolationOptions, Options, SampleOptions, TransferOptions, VariationOptions
from service import __version__
from service.provenance import provenance
from tests.service.fakes import FakeColorizer

MODEL = replace(FakeColorizer.info, name="<fake-1>")
HINTED = SampleOptions(2, 7, None, 0.9, hints=(Hint(0.5, 0.25, (160, 60, 40)),), offset=4, warmth=0.5, select="diverse")
HINT = '[{"x": 0.5, "y": 0.25, "color": "#a03c28"}]'


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (SampleOptions(4, 7), "colorization seed=7 index=5 temperature=0.6"),
        (HINTED, f"colorization seed=7 index=5 temperature=0.6 hints={HINT} warmth=0.5 latent_norm=0.9"),
        (
            VariationOptions(4, 7, 2, 0.3, 11, (8, 16)),
            "variation seed=7 index=5 temperature=0.6 of_index=2 strength=0.3 noise_seed=11 levels=[8, 16]",
        ),
        (TransferOptions(4, 7, (1, 1, 0.5, 0)), "transfer seed=7 index=5 temperature=0.6 weights=[1, 1, 0.5, 0]"),
        (
            InterpolationOptions(8, 7, 2, to_index=3),
            "interpolation seed=7 index=5 temperature=0.6 of_index=2 steps=8 to_index=3",
        ),
    ],
)
def test_all_that_makes_the_same_colors_is_told(options: Options, words: str) -> None:
    about = ElementTree.fromstring(provenance(options, 0.6, 5, MODEL))[0][0].attrib  # noqa: S314 - our own
    told = {name.partition("}")[2]: value for name, value in about.items()}
    assert told["AIPromptInformation"] == words
    assert told["DigitalSourceType"].endswith("/compositeWithTrainedAlgorithmicMedia")
    assert (told["AISystemUsed"], told["AISystemVersionUsed"]) == ("tintflow", f"<fake-1> sha256:{MODEL.sha256}")
    assert told["CreatorTool"] == f"tintflow {__version__}"
