"""The benchmark of upsampling, and its peers in C++."""

import json
import shutil

import cv2
import numpy as np
import pytest

from benchmarks.photos import made_up_lightness
from benchmarks.speed.upsampling import made_up_chroma, main
from model.pixels.upsampling import upsample_to_rgb


def test_json_on_standard_output_alone(capsys: pytest.CaptureFixture[str]) -> None:
    main([0.01], samples=2, peers=False, json_file="-")
    output = capsys.readouterr()
    report = json.loads(output.out)
    assert report["hardware"]["cores"] >= 1
    assert report["date"].endswith("+00:00")
    by_method = {result["method"]: result for result in report["results"]}
    assert set(by_method) == {"tintflow", "numpy", "bilinear"}
    assert by_method["tintflow"]["ratio"] == 1
    assert by_method["bilinear"]["seconds"] > 0
    assert "2 maps" in output.err


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
@pytest.mark.parametrize("shape", [(200, 300), (1, 37), (45, 3)])
def test_what_it_is_compared_with_in_cpp_does_the_same(shape: tuple[int, int]) -> None:
    from benchmarks.peers.extension import by_bilateral_grid, by_extension

    chroma, lightness = made_up_chroma(3), made_up_lightness(shape)
    ours = upsample_to_rgb(chroma, lightness)
    exact, near = np.empty_like(ours), np.empty_like(ours)
    by_extension(chroma, lightness, exact)
    by_bilateral_grid(chroma, lightness, near)
    assert cv2.absdiff(ours, exact).max() <= 1
    assert cv2.absdiff(ours, near).mean() < 1  # the means between cells are not those of the Gaussians: 0.2 was seen
