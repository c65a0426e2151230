import json

import pytest

from benchmarks.upsampling import main


def test_json_on_standard_output_alone(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--json", "-", "--megapixels", "0.01", "--samples", "2"])
    output = capsys.readouterr()
    report = json.loads(output.out)
    assert report["hardware"]["cores"] >= 1
    assert report["date"].endswith("+00:00")
    by_method = {result["method"]: result for result in report["results"]}
    assert set(by_method) == {"tintflow", "bilinear", "jointBilateralFilter", "guidedFilter"}
    assert by_method["tintflow"]["ratio"] == 1
    assert by_method["bilinear"]["seconds"] > 0
    assert "2 maps" in output.err


def test_a_missing_peer_is_said_to_be_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("cv2.ximgproc", raising=False)
    main(["--megapixels", "0.01", "--samples", "1"])
    assert capsys.readouterr().out.count("installed") == 2
