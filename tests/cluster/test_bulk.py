"""`tintflow bulk`: folders and Parquet, bad files, and resuming after a kill."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from service.cli.bulk import REPORT
from tests.cluster.conftest import BUSY_MACHINE
from tests.service.waiting import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

PHOTOS = 40
SIDE = 64
TINTFLOW = [sys.executable, "-c", "from service.cli.program import app; app()"]
ENVIRONMENT = os.environ | {
    "COLUMNS": "300",  # so that no name is wrapped
    **BUSY_MACHINE,
}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of subfolders with small photos, and one file that is not a photo."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for i in range(PHOTOS):
        file = folder / f"box-{i % 2}" / f"{i:03}.png"
        file.parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (SIDE, SIDE), np.uint8)).save(file)
    (folder / "box-0" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 nothing more")
    return folder


def bulk(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [*TINTFLOW, "bulk", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=ENVIRONMENT)  # noqa: S603


def outcomes(out: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (out / REPORT).read_text().splitlines()]


def colorings(out: Path) -> dict[str, bytes]:
    return {str(file.relative_to(out)): file.read_bytes() for file in out.rglob("*.jpg")}


@pytest.fixture(scope="module")
def colored(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder, colorized."""
    out = tmp_path_factory.mktemp("colored")
    done = bulk(photos, out, "--seed", 7)
    assert done.returncode == 1, done.stderr  # one is broken
    assert "broken.jpg" in done.stderr
    assert f"{PHOTOS} done, 0 done before, 1 not done" in done.stdout
    return out


def test_a_folder_is_mirrored_and_bad_files_are_reported(colored: Path) -> None:
    assert set(colorings(colored)) == {f"box-{i % 2}/{i:03}-7-0.jpg" for i in range(PHOTOS)}
    told = {Path(str(each["photo"])).name: each for each in outcomes(colored)}
    assert "image" in str(told.pop("broken.jpg")["error"])
    assert len(told) == PHOTOS
    assert all(each["error"] is None and len(each["bits_per_dim"]) == 1 for each in told.values())  # type: ignore[arg-type]


def test_colorings_are_those_of_colorize(photos: Path, colored: Path, tmp_path: Path) -> None:
    photo = photos / "box-1" / "001.png"
    options = ["colorize", str(photo), "-n", "1", "--seed", "7", "-o", str(tmp_path)]
    subprocess.run([*TINTFLOW, *options], check=True, env=ENVIRONMENT | {"OMP_NUM_THREADS": "1"})  # noqa: S603
    one, many = (
        np.asarray(Image.open(file), np.int16) for file in (tmp_path / "001-7-0.jpg", colored / "box-1" / "001-7-0.jpg")
    )
    assert np.abs(one - many).max() <= 1


def test_the_same_again_makes_nothing_anew(photos: Path, colored: Path) -> None:
    before = {file: file.stat().st_mtime_ns for file in colored.rglob("*.jpg")}
    again = bulk(photos, colored)  # the seed is remembered
    assert f"0 done, {PHOTOS} done before, 1 not done" in again.stdout
    assert {file: file.stat().st_mtime_ns for file in colored.rglob("*.jpg")} == before


def test_after_an_interrupt_it_goes_on(photos: Path, tmp_path: Path) -> None:
    command = [*TINTFLOW, "bulk", photos, tmp_path, "--seed", "7"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, env=ENVIRONMENT) as process:  # noqa: S603
        eventually(lambda: list(tmp_path.rglob("*.jpg")) or process.poll() is not None, 300)
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 130
    first = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.jpg")}
    assert len(first) < PHOTOS
    done = bulk(photos, tmp_path)
    assert done.returncode == 1, done.stderr
    assert len(list(tmp_path.rglob("*.jpg"))) == PHOTOS
    assert not list(tmp_path.rglob("*.part"))
    assert len({each["photo"] for each in outcomes(tmp_path)}) == PHOTOS + 1  # also for lost photos
    assert all(file.stat().st_mtime_ns == when for file, when in first.items())


def test_parquet(photos: Path, colored: Path, tmp_path: Path) -> None:
    files = sorted(photos.rglob("*.png"))[:5]
    names = [file.relative_to(photos).with_suffix("").as_posix() for file in files]
    table = pa.table(
        {
            "image": [*(file.read_bytes() for file in files), b"no image", None, files[0].read_bytes()],
            "name": [*names, "bad", "missing", "../escaped"],
        }
    )
    (tmp_path / "in").mkdir()
    pq.write_table(table, tmp_path / "in" / "photos.parquet")
    done = bulk(tmp_path / "in", tmp_path / "out", "--seed", 7)
    assert done.returncode == 1, done.stderr
    made = colorings(tmp_path / "out")
    assert made == {name: data for name, data in colorings(colored).items() if name in made}
    assert len(made) == len(files)
    assert {each["photo"] for each in outcomes(tmp_path / "out") if each["error"]} == {"bad", "missing", "../escaped"}
    assert not list(tmp_path.glob("*.jpg"))
