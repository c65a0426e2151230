"""Finding and reading photos, and turning them into examples; broken ones are skipped."""

import os
import tarfile
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from numpy.typing import NDArray
from PIL import Image

from service.api.formats import PHOTO_SUFFIXES
from service.codecs.decoding import decode
from tests.service.files import icc_profile, swapped_srgb
from training.data import SUFFIXES, NoPhotosError, is_near_gray, make_example, read_named_photos, read_photos


def photo(seed: int = 0, size: tuple[int, int] = (70, 90)) -> NDArray[np.uint8]:
    small = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), np.uint8)
    return np.asarray(Image.fromarray(small).resize(size[::-1], Image.Resampling.BICUBIC))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    Image.fromarray(photo(0)).save(tmp_path / "a.png")
    Image.fromarray(photo(1)).save(tmp_path / "sub" / "b.png")
    (tmp_path / "broken.jpg").write_bytes((tmp_path / "a.png").read_bytes()[:50])
    (tmp_path / "notes.txt").write_text("nor is this")
    return tmp_path


@pytest.fixture
def shard(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shards") / "shard.tar"
    with tarfile.open(path, "w") as tar:
        tar.add(folder, "x")
    return path


def test_photos_of_telephones_are_read(tmp_path: Path) -> None:
    pillow_heif.from_pillow(Image.fromarray(photo())).save(tmp_path / "IMG_1.HEIC")
    ((name, read),) = read_named_photos(tmp_path)
    assert (name, read.shape) == ("IMG_1.HEIC", photo().shape)
    assert np.abs(read.astype(int) - photo()).mean() < 5  # lossy


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "CMYK"])
@pytest.mark.parametrize("cut", [None, 40])
def test_colors_are_those_that_the_service_sees(tmp_path: Path, mode: str, cut: int | None) -> None:
    profile = icc_profile("GRAY", 1.0) if mode == "L" else swapped_srgb()
    Image.fromarray(photo()).convert(mode).save(tmp_path / "a.tif", icc_profile=profile[:cut])
    (read,) = read_photos(tmp_path)
    seen = decode((tmp_path / "a.tif").read_bytes(), photo().size).pixels
    colors = seen if seen.ndim == 3 else np.dstack([seen] * 3)
    np.testing.assert_allclose(read.astype(int), colors, rtol=0, atol=mode == "L")  # LittleCMS rounds gray otherwise


@pytest.mark.parametrize("order", ["<", ">"])
def test_16_bits_of_gray_are_read(tmp_path: Path, order: str) -> None:
    gray = photo()[..., 0]
    Image.fromarray((gray * np.uint16(257)).astype(f"{order}u2")).save(tmp_path / "scan.tif")
    (read,) = read_photos(tmp_path)
    np.testing.assert_array_equal(read, np.dstack([gray] * 3))


def test_whatever_the_service_reads_is_trained_on() -> None:
    assert SUFFIXES == PHOTO_SUFFIXES


def test_a_folder_is_read_in_order_and_what_only_has_the_name_of_a_photo_is_passed_over(folder: Path) -> None:
    (folder / "gone.jpg").symlink_to(folder / "nowhere.jpg")
    (folder / "album.png").mkdir()
    Image.fromarray(photo(2)).save(folder / "album.png" / "c.png")
    found = dict(read_named_photos(folder))
    assert list(found) == ["a.png", "album.png/c.png", "sub/b.png"]
    np.testing.assert_array_equal(found["sub/b.png"], photo(1))


def test_a_photo_that_goes_while_others_are_read_is_passed_over(folder: Path) -> None:
    found = read_named_photos(folder)
    assert next(found)[0] == "a.png"
    (folder / "sub" / "b.png").unlink()
    assert list(found) == []


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_half_a_tar_is_named(folder: Path, shard: Path, mode: str) -> None:
    with tarfile.open(shard, mode) as tar:
        tar.add(folder, "x")
    os.truncate(shard, 1500)  # within the first photo, after its folder
    for path in (shard, shard.parent):
        with pytest.raises(NoPhotosError, match=r"shard\.tar"):
            list(read_photos(path))


def test_links_to_what_a_tar_lacks_are_passed_over(shard: Path) -> None:
    link = tarfile.TarInfo("elsewhere.jpg")
    link.type, link.linkname = tarfile.SYMTYPE, "../elsewhere.jpg"
    with tarfile.open(shard, "a") as tar:
        tar.addfile(link)
    assert [name for name, _ in read_named_photos(shard)] == ["x/a.png", "x/sub/b.png"]


def test_photos_of_one_name_in_several_tars_differ_in_name(shard: Path) -> None:
    once = [name for name, _ in read_named_photos(shard)]
    for i in range(2):
        (shard.parent / f"shard-{i}.tar").write_bytes(shard.read_bytes())
    thrice = [name for name, _ in read_named_photos(shard.parent)]
    assert thrice == [name + number for number in ("", "#2", "#3") for name in once]


def test_near_gray() -> None:
    gray = np.repeat(photo()[..., :1], 3, 2)
    assert is_near_gray(gray)
    assert not is_near_gray(photo())


def test_an_example_of_a_whole_photo() -> None:
    example = make_example(np.full((50, 300, 3), (255, 0, 0), np.uint8))
    assert example.lightness.shape == (256, 256)
    assert example.chroma.shape == (64, 64, 2)
    # Red in CIELAB (D65): 53.24, 80.09, 67.20.
    np.testing.assert_allclose(example.lightness, 53.24, atol=0.01)
    np.testing.assert_allclose(example.chroma.reshape(-1, 2).mean(0), (80.09, 67.20), atol=0.01)


def test_crops_are_random_and_reproducible() -> None:
    a, b, c = (make_example(photo(), np.random.default_rng(seed)).chroma for seed in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert np.abs(a - c).mean() > 0.1


def test_half_of_the_crops_are_mirrored() -> None:
    ramp = np.zeros((64, 64, 3), np.uint8)
    ramp[..., 0] = np.arange(64) * 4
    rng = np.random.default_rng(0)
    rows = [make_example(ramp, rng).lightness[0] for _ in range(60)]
    assert 15 < sum(row[200] < row[50] for row in rows) < 45
