"""A collection of odd and broken files goes through the HTTP interface.

It is a tar with the folders must-accept, must-reject, bomb and either: what ODD_IMAGES names, or
shared/data/odd-images.tar beside the repository.
"""

import os
import tarfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

BESIDE = Path(__file__).parents[3] / "shared" / "data" / "odd-images.tar"
ARCHIVE = Path(os.environ.get("ODD_IMAGES", BESIDE))
LARGE_BYTES = 500_000
TIMEOUT_SECONDS = 60
BOMB_BYTES = 100e6
"""of memory that a bomb may take, in the service and its decoders together"""


def members() -> Iterator[object]:
    if not ARCHIVE.is_file():
        reason = "no odd images: neither does ODD_IMAGES name them, nor are they in shared/data beside the repository"
        yield pytest.param("", b"", marks=pytest.mark.skip(reason=reason))
        return
    with tarfile.open(ARCHIVE) as archive:
        for member in archive:
            content = archive.extractfile(member)
            if content is not None:
                name = member.name.removeprefix("./")
                yield pytest.param(name, content.read(), id=name)


@pytest.mark.filterwarnings("ignore")  # Pillow, asked here for a size, warns about odd files
@pytest.mark.parametrize(("name", "content"), list(members()))
def test_odd_image(service, name: str, content: bytes) -> None:
    pids = ["self", *(str(decoder._process.pid) for decoder in service.app.state.engine._decoders._all)]
    resident = sum(memory(pid, "VmRSS") for pid in pids)
    reset_peak()
    is_large = len(content) > LARGE_BYTES  # the fake colorizer would take seconds for it
    answer = service.client.post(
        "/v1/likelihoods" if is_large else "/v1/colorizations",
        files={"image": ("photo.jpg", content)},  # its name and type say nothing
        data={} if is_large else {"n": "1"},
        headers={} if is_large else {"Accept": "image/jpeg"},
        timeout=TIMEOUT_SECONDS,
    )
    status = answer.status_code
    expected = {
        "must-accept": status == 200,
        "must-reject": 400 <= status < 500,
        "bomb": status in (413, 422),
        "either": status == 200 or 400 <= status < 500,
    }
    folder = name.split("/")[0]
    assert expected[folder], answer.text
    if folder == "bomb" and Path("/proc/self/clear_refs").exists():
        assert sum(memory(pid, "VmHWM") for pid in pids) - resident < BOMB_BYTES
    if status != 200:
        assert answer.headers["content-type"] == "application/problem+json"
        return
    size = _size(answer.json()) if is_large else Image.open(BytesIO(answer.content)).size
    assert sorted(size) == sorted(Image.open(BytesIO(content)).size)
    kind = name.rpartition("exif-orientation__")[2]
    if kind.startswith(("Landscape", "Portrait")):
        assert size == {"Landscape": (1800, 1200), "Portrait": (1200, 1800)}[kind.partition("_")[0]]


def _size(scored: dict[str, int]) -> tuple[int, int]:
    return scored["width"], scored["height"]


def memory(pid: str, field: str) -> int:
    """Bytes of memory of a process: VmRSS now, VmHWM at most since the last reset."""
    status = Path(f"/proc/{pid}/status")
    return 1024 * int(status.read_text().split(f"{field}:")[1].split()[0]) if status.exists() else 0


def reset_peak() -> None:
    """Let this process's VmHWM begin anew; those of decoders, which may only be higher, stay."""
    clear = Path("/proc/self/clear_refs")
    if clear.exists():
        clear.write_text("5")
