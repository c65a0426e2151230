"""The commands on files with the fake colorizer, in this process and against a server."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import typer
from click.testing import Result
from PIL import ExifTags, Image

from service.api.endpoints import COLOR_ENDPOINTS, ColorEndpoint
from service.client import AsyncClient, ConnectionFailedError, LikelihoodResponse
from tests.service.files import icc_profile, opened

COMMANDS = {
    "colorize": (["-n", "3", "--seed", "7"], ["photo-7-0.jpg", "photo-7-1.jpg", "photo-7-2.jpg"]),
    "variations": (
        ["--seed", "7", "--index", "1", "-n", "2", "--noise-seed", "9", "--levels", "coarse"],
        ["photo-7-1-variation-9-0.jpg", "photo-7-1-variation-9-1.jpg"],
    ),
    "transfer": (
        ["--reference", "photo.png", "-n", "1", "--seed", "3", "--weights", "1,1,0.5,0"],
        ["photo-transfer-photo-3-0.jpg"],
    ),
    "interpolations": (
        ["--seed", "7", "--index", "0", "--to-index", "2", "--steps", "2"],
        ["photo-7-0-to-7-2-0.jpg", "photo-7-0-to-7-2-1.jpg"],
    ),
}


def made(out: str = "out") -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(Path(out).iterdir()) if file.suffix != ".jsonl"}


@pytest.mark.parametrize("command", COMMANDS)
def test_colorings_are_written_and_a_server_makes_the_same(service, run: Callable, photo: Path, command: str) -> None:
    options, files = COMMANDS[command]
    run(command, photo, *options)
    assert [*made()] == files
    with Image.open(Path("out") / files[0]) as image:
        assert (image.format, image.size, image.mode) == ("JPEG", (40, 24), "RGB")
    run(command, photo, *options, "-o", "there", "--url", service.client.base_url)
    assert made() == made("there")
    in_process, over_http = service.colorizer.options[-2:]
    assert in_process == over_http


@pytest.mark.parametrize(("command", "endpoint"), list(zip(COMMANDS, COLOR_ENDPOINTS, strict=True)))
def test_every_field_of_the_interface_is_an_option(app: typer.Typer, command: str, endpoint: ColorEndpoint) -> None:
    parameters = {each.name for each in typer.main.get_command(app).commands[command].params}  # type: ignore[attr-defined]
    assert {*endpoint.parameters.model_fields, *endpoint.optional_files} - {"response_format"} <= parameters


def test_hints(service, run: Callable, photo: Path) -> None:
    run("colorize", photo, "--hint", "0.25,0.75,#a03c28", "--hint", "1,0,#000000", "-n", "1")
    first, second = service.colorizer.options[-1].hints
    assert (first.x, first.y, first.color) == (0.25, 0.75, (0xA0, 0x3C, 0x28))
    assert (second.x, second.y) == (1, 0)
    for wrong in ("left", "0.25,0.75", "0.25,0.75,brick", "0.25,0.75,#a03"):  # before a model is loaded
        assert f"expected X,Y,#RRGGBB, got {wrong}" in run("colorize", photo, "--hint", wrong, status=2).stderr
    for outside in ("nan,0,#000000", "0,inf,#000000", "1.1,0,#000000"):
        assert "X and Y from 0 to 1" in run("colorize", photo, "--hint", outside, status=2).stderr


def test_points(service, run: Callable, photo: Path) -> None:
    coloring = ("variations", photo, "--seed", "7", "--index", "1")
    run(*coloring, "--at", "0.25,0.75", "--at", "1,0", "-n", "1")
    assert [(point.x, point.y) for point in service.colorizer.options[-1].at] == [(0.25, 0.75), (1, 0)]
    printed = run(*coloring, "--at", "0.25,0.75", "--at", "1,0", "-n", "2", "-o", "others").stdout
    assert "bits/dim, new colors #94412f #94412f, #94412f #94412f\n" in printed  # to give as hints
    (line,) = Path("others/tintflow.jsonl").read_text().splitlines()
    assert [made["at"] for made in json.loads(line)["files"]] == [["#94412f"] * 2] * 2
    single = run(*coloring, "--at", "0.25,0.75", "-n", "1", "-o", "other.jpg")
    assert "bits/dim, new colors #94412f\n" in single.stderr
    for wrong in ("0.25", "0.25,0.75,#a03c28"):
        assert "expected X,Y, got" in run(*coloring, "--at", wrong, status=2).stderr


def test_a_random_seed_is_in_the_names_and_in_the_record(run: Callable, photo: Path) -> None:
    run("colorize", photo, "-n", "1")
    entry = json.loads(Path("out/tintflow.jsonl").read_text())
    assert [*made()] == [f"photo-{entry['seed']}-0.jpg"]
    assert entry["files"][0]["bits_per_dim"] == 2.5
    assert entry["temperature"] == 0.75  # the fake's default


def test_exif_and_profile_are_kept_unless_stripped_and_gps_if_asked(run: Callable, grey_photo: Image.Image) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = "A town"
    exif[ExifTags.IFD.GPSInfo] = {ExifTags.GPS.GPSLatitudeRef: "N"}
    profile = icc_profile("RGB ", 1.8)
    grey_photo.convert("RGB").save("photo.png", exif=exif, icc_profile=profile)
    run("colorize", "photo.png", "-n", "1", "--seed", "7", "-o", "kept", "-f", "png", "-t", "0")
    run("colorize", "photo.png", "kept.png", "--seed", "7", "-t", "0")
    assert Path("kept.png").read_bytes() == Path("kept/photo-7-0.png").read_bytes()
    run("colorize", "photo.png", "-n", "1", "--seed", "7", "-o", "stripped", "-f", "png", "-t", "0", "--strip")
    run("colorize", "photo.png", "-n", "1", "--seed", "7", "-o", "placed", "-f", "png", "--keep-gps")
    with Image.open("placed/photo-7-0.png") as placed:
        assert placed.getexif().get_ifd(ExifTags.IFD.GPSInfo) == {ExifTags.GPS.GPSLatitudeRef: "N"}
    with Image.open("kept/photo-7-0.png") as kept, Image.open("stripped/photo-7-0.png") as stripped:
        assert (kept.format, kept.info["icc_profile"]) == ("PNG", profile)
        assert kept.getexif()[ExifTags.Base.ImageDescription] == "A town"
        assert ExifTags.IFD.GPSInfo not in kept.getexif()
        assert not stripped.getexif()
        assert "icc_profile" not in stripped.info
        # converted to the photo's profile and back, gray is the same within two roundings; in sRGB it would differ
        pixels = np.asarray(grey_photo)[..., None]
        differences = [np.abs(np.asarray(each).astype(int) - pixels).max() for each in (kept, stripped)]
        assert differences[0] <= 3 < differences[1]


@pytest.mark.parametrize("output_format", ["jpeg", "png", "webp"])
@pytest.mark.parametrize("strip", [[], ["--strip"]], ids=["with metadata", "stripped"])
def test_a_coloring_says_that_a_model_made_its_colors(
    run: Callable, photo: Path, grey_photo: Image.Image, output_format: str, strip: list[str]
) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = "A town"
    grey_photo.convert("RGB").save("wide.png", exif=exif, icc_profile=icc_profile("RGB ", 1.8))
    run("colorize", photo, "wide.png", "-n", "2", "--seed", "7", "-t", "0.5", "-f", output_format, *strip)
    assert len(made()) == 4
    for name, data in made().items():
        image, is_kept = opened(data), name.startswith("wide") and not strip
        assert f"colorization seed=7 index={Path(name).stem[-1]} temperature=0.5" in image.info["xmp"].decode()
        assert image.getexif().get(ExifTags.Base.ImageDescription) == ("A town" if is_kept else None)
        assert ("icc_profile" in image.info) == is_kept


def test_a_photo_with_a_profile_too_long_for_the_format_keeps_no_other_from_being_made(
    run: Callable, photo: Path
) -> None:
    Image.new("RGB", (16_384, 1)).save("long.png", icc_profile=icc_profile("RGB ", 1.8))
    result = run("colorize", "long.png", photo, "-n", "1", "--seed", "7", "-f", "webp", status=1)
    assert "16383" in result.stderr
    assert [*made()] == ["photo-7-0.webp"]


def test_a_folder_and_a_sheet(run: Callable, photo: Path) -> None:
    Path("in/sub").mkdir(parents=True)
    Image.open(photo).save("in/a.png")
    Image.new("RGBA", (20, 30), (90, 90, 90, 200)).save("in/sub/b.webp")
    Image.new("I;16", (20, 30), 40_000).save("in/c.tif")
    result = run("colorize", "in", "-n", "2", "--seed", "7", "--sheet")
    assert {file.as_posix() for file in Path("out").rglob("*.jpg")} == {
        "out/sheet.jpg", "out/a-7-0.jpg", "out/a-7-1.jpg", "out/c-7-0.jpg", "out/c-7-1.jpg", "out/sub/b-7-0.jpg",
        "out/sub/b-7-1.jpg",
    }  # fmt: skip
    assert "in/a.png → out/a-7-{0,1}.jpg" in result.stdout
    with Image.open("out/sheet.jpg") as sheet:
        cells = [
            np.asarray(sheet.crop((12 + 268 * column, 12 + 290 * row, 268 + 268 * column, 268 + 290 * row)))
            for row in range(3)
            for column in range(3)
        ]
        assert sheet.size == (12 + 3 * 268, 12 + 3 * 290)
    for cell in cells:
        assert (cell < 250).any()  # not blank
    colourful = [(np.ptp(cell.astype(int), axis=2) > 4).any() for cell in cells]  # JPEG leaves gray within 2
    assert colourful == [False, True, True] * 3


def test_a_sheet_is_written_over_and_nothing_else_is(run: Callable, photo: Path) -> None:
    sheet = Path(":cat:/sheet.jpg")  # no emoji

    def write(seed: int, *more: str, status: int = 0) -> Result:
        return run("colorize", photo, "-n", "1", "--seed", seed, "--sheet", "-o", sheet.parent, *more, status=status)

    assert write(7).stdout.splitlines()[-1] == str(sheet)
    first = sheet.read_bytes()
    write(8)
    assert sheet.read_bytes() != first
    Image.new("RGB", (8, 8)).save(sheet)
    mine = sheet.read_bytes()
    assert "not a contact sheet" in write(8, status=1).stderr
    assert sheet.read_bytes() == mine
    write(8, "--overwrite")
    assert sheet.read_bytes() != mine


def test_likelihoods_are_shown(service, run: Callable, photo: Path) -> None:
    """Photos may have the same name, and lie in the folder of colorings."""
    names = [photo.name, "out/photo.png", "two/photo.png"]
    for name in names[1:]:
        Path(name).parent.mkdir()
        Path(name).write_bytes(photo.read_bytes())
    for url in ([], ["--url", str(service.client.base_url)]):
        rows = run("likelihood", photo, "out", "two", *url).stdout.splitlines()[1:]
        assert [row.split("\t")[:2] for row in rows] == [[name, "4.750"] for name in names]


@pytest.mark.parametrize(("error", "status"), [(ConnectionFailedError("gone"), 2), (KeyboardInterrupt(), 130)])
def test_likelihoods_before_an_early_end_are_shown(
    run: Callable, photo: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int
) -> None:
    score = AsyncClient.likelihoods

    async def scored(client: AsyncClient, image: Path) -> LikelihoodResponse:
        if image.name == "other.png":
            raise error
        return await score(client, image)

    monkeypatch.setattr(AsyncClient, "likelihoods", scored)
    Path("other.png").write_bytes(photo.read_bytes())
    assert "photo.png\t4.750" in run("likelihood", photo, "other.png", "--at-once", "1", status=status).stdout


@pytest.mark.parametrize("content", [b"", b"only text"])
def test_a_reference_that_does_not_decode_ends_the_command(run: Callable, photo: Path, content: bytes) -> None:
    Path("other.png").write_bytes(photo.read_bytes())
    Path("reference.png").write_bytes(content)
    result = run("transfer", photo, "other.png", "-r", "reference.png", "-o", "out", status=2)
    assert result.stderr.startswith("reference: ")
    assert len(result.stderr.splitlines()) == 1


def test_names_are_shown_whole_and_as_they_are(run: Callable, photo: Path, monkeypatch) -> None:
    good, bad = Path(f"[red]{'x' * 90}.png"), Path(f"[bold]{'y' * 90}.png")
    good.write_bytes(photo.read_bytes())
    bad.touch()
    result = run("likelihood", good, bad, status=1)
    assert result.stdout.splitlines()[1].startswith(f"{good}\t4.750\t")
    assert result.stderr == f"1 not done\n{bad}\timage: the file is empty\n"
    monkeypatch.setattr("rich.console.Console.is_terminal", True)
    result = run("likelihood", good, bad, status=1)
    for output, start, whole in ((result.stdout, "[red]", 90 * "x"), (result.stderr, "[bold]", 90 * "y")):
        assert start in output
        assert output.count(whole[0]) >= len(whole)


@pytest.mark.parametrize("is_terminal", [False, True])
def test_control_characters_in_names_are_escaped(run: Callable, photo: Path, monkeypatch, is_terminal: bool) -> None:
    monkeypatch.setattr("rich.console.Console.is_terminal", is_terminal)
    good, bad, escaped = Path("\t\n\x1b\x9b.png"), Path("\t\n\x1b\x9b-bad.png"), r"\t\n\x1b\x9b"
    good.write_bytes(photo.read_bytes())
    bad.touch()
    result = run("colorize", good, bad, "-n", "1", "--seed", "7", "-o", "out", status=1)
    assert f"{escaped}.png → out/{escaped}-7-0.jpg" in result.stdout
    assert f"{escaped}-bad.png" in result.stderr
    assert f"{escaped}.png" in run("likelihood", good).stdout
    assert f"{escaped}.png → one.jpg" in run("colorize", good, "one.jpg").stderr


def test_models_are_shown(service, run: Callable) -> None:
    for url in ([], ["--url", str(service.client.base_url)]):
        shown = run("models", *url).stdout
        assert "fake-1" in shown
        assert "0" * 64 in shown  # also without a terminal's width
        assert "limits.bytes         50000000\n" in shown


def test_help_has_examples(run: Callable) -> None:
    for command in (*COMMANDS, "likelihood", "models"):
        text = run(command, "--help").stdout
        assert "Examples:" in text
        assert f"tintflow {command} " in text
    assert "GPS" in run("colorize", "--help").stdout
