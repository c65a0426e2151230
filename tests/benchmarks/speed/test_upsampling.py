"""The benchmark of upsampling."""

import json

import pytest

from benchmarks.speed.upsampling import main


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
    assert "bilinear" in output.err
