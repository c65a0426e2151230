"""Answers to files from other projects: `python -m benchmarks.load.foreign FOLDER… [--most 300]`.

Each folder holds files of any kind, such as a decoder's test suite or a fuzzer's corpus. Starts a service and sends
every file to `/v1/colorizations`. Each must get 415, 422, or 200 with colorings of the file's own size.
"""

import random
import time
import warnings
from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import Annotated

import httpx
import pillow_heif
import typer
from PIL import Image, ImageOps

from benchmarks.report import JsonFile, Target, write
from benchmarks.running import PATH, running

TIMEOUT_SECONDS = 180.0
EXPECTED = {200, 415, 422}


def main(
    folders: list[Path],
    most: Annotated[int, typer.Option(help="Most files of a folder; of larger folders, a random sample.")] = 10_000,
    json_file: JsonFile = None,
) -> None:
    """Send every file, and print a table of the answers."""
    pillow_heif.register_heif_opener()
    warnings.simplefilter("ignore")  # Pillow warns about odd files
    counts: dict[str, Counter[str]] = {}
    unexpected, wrong_sizes, slowest = list[str](), list[str](), 0.0
    with running() as service, httpx.Client(base_url=service.url, timeout=TIMEOUT_SECONDS) as client:
        for folder in folders:
            counted = counts.setdefault(folder.name, Counter())
            for path in _files(folder, most):
                content, started = path.read_bytes(), time.monotonic()
                fields = {"n": "1", "output_format": "jpeg"}
                answer = client.post(PATH, files={"image": content}, data=fields)
                slowest = max(slowest, time.monotonic() - started)
                counted[str(answer.status_code)] += 1
                if answer.status_code not in EXPECTED:
                    unexpected.append(f"{path.name}: {answer.status_code} {answer.text[:200]}")
                elif answer.status_code == 200 and not _has_size_of(answer.json(), content):
                    wrong_sizes.append(path.name)
    targets = [
        Target("every answer is 200, 415 or 422", "; ".join(unexpected) or "0 others", not unexpected),
        Target("colorings of the file's own size", ", ".join(wrong_sizes) or "0 others", not wrong_sizes),
    ]
    answered = [{"folder": name, "files": each.total(), **dict(sorted(each.items()))} for name, each in counts.items()]
    write("foreign files", targets, {"answers": answered, "slowest_seconds": slowest}, json_file)


def _files(folder: Path, most: int) -> list[Path]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    draws = random.Random(0)  # noqa: S311 - it chooses files
    return files if len(files) <= most else sorted(draws.sample(files, most))


def _has_size_of(answer: dict[str, int], content: bytes) -> bool:
    """Compare the answer's size with Pillow's; True where Pillow cannot tell the file's size."""
    try:
        with Image.open(BytesIO(content)) as image:
            upright = ImageOps.exif_transpose(image).size
    except Exception:  # damaged after the first frame, or in its EXIF
        return True
    return (answer["width"], answer["height"]) == upright


if __name__ == "__main__":
    typer.run(main)
