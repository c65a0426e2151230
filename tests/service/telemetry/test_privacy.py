"""Privacy: the service fetches no URLs, and neither logs nor stores requests."""

import base64
import logging
import os
import socket
import tempfile
import threading
import zipfile
from io import BytesIO

import pytest
from PIL import ExifTags, Image, PngImagePlugin

from model.options import SampleOptions
from service.provenance import provenance
from service.telemetry import logs
from tests.service.fakes import FakeColorizer
from tests.service.files import encoded, opened, random_image

PATH = "/v1/colorizations"
MARK = "a-private-word"


@pytest.fixture
def calls(monkeypatch) -> list[tuple[str, object]]:
    """Addresses that other threads, including the server's, try to reach."""
    made: list[tuple[str, object]] = []
    here = threading.current_thread()

    def watched(name: str, original):
        def call(*arguments, **options):
            if threading.current_thread() is not here:
                made.append((name, arguments[-1]))
            return original(*arguments, **options)

        return call

    for owner, name in ((socket.socket, "connect"), (socket.socket, "connect_ex"), (socket, "getaddrinfo")):
        monkeypatch.setattr(owner, name, watched(name, getattr(owner, name)))
    return made


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9/a.jpg",
        "data:image/png,http://127.0.0.1:9/a.png",
        "//127.0.0.1:9/a.jpg",
        "file:///etc/hostname",
    ],
)
def test_no_url_is_fetched(service, grey_png, calls, url: str) -> None:
    good = base64.b64encode(grey_png).decode()
    answers = [
        service.client.post(PATH, json={"image": url}),
        service.client.post(PATH, json={"image": {"url": url}}),
        service.client.post(PATH, json={"image": good, "image_url": url}),
        service.client.post("/v1/transfers", json={"image": good, "reference": url}),
        service.client.post(PATH, files={"image": (None, url)}),
        service.post(url.encode()),
    ]
    assert all(answer.is_client_error for answer in answers), [answer.status_code for answer in answers]
    assert calls == []


@pytest.mark.parametrize("log_format", ["console", "json"])
@pytest.mark.usefixtures("own_logging")
def test_uploads_are_not_logged(service, grey_photo, capsys, caplog, log_format: str) -> None:
    logs.configure(log_format)  # type: ignore[arg-type]
    caplog.set_level(logging.WARNING, logger="httpx")  # the client's own lines
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", MARK)
    photo = encoded(grey_photo, "PNG", pnginfo=text)
    assert MARK.encode() in photo
    in_base64 = base64.b64encode(photo).decode()
    assert service.post(photo).status_code == 200
    bad = [
        service.post(photo[:-20]),
        service.post(MARK.encode()),
        service.client.post(PATH, json={"image": in_base64 + "!"}),
        service.client.post(PATH, json={"image": MARK, MARK: MARK}),
        service.client.post(PATH, content=MARK.encode(), headers={"Content-Type": "application/json"}),
        service.client.post(f"{PATH}?q={MARK}", files={MARK: (f"{MARK}.jpg", photo)}),
    ]
    assert all(answer.is_client_error for answer in bad)
    service.colorizer.error = ZeroDivisionError("unforeseen")
    assert service.post(photo).status_code == 500
    service.wait_until_idle()  # the log line comes after the answer
    written = capsys.readouterr().err
    assert "ZeroDivisionError" in written, "the log was not captured"
    for private in (MARK, in_base64[:40], repr(photo[:20])[2:-1], "photo.txt"):
        assert private not in written


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="files hand photos on to decoders")
def test_no_upload_becomes_a_file(service, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))  # has the effect of a full disk
    photo = encoded(random_image(1100, 1100))
    assert len(photo) > 1_100_000, "starlette would keep such a small one in memory anyway"
    assert service.post(photo, n=1, output_format="jpeg").status_code == 200


@pytest.mark.parametrize("output_format", ["jpeg", "png", "webp"])
@pytest.mark.parametrize("input_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_where_a_photo_was_taken_does_not_come_back(service, grey_photo, input_format: str, output_format: str) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = MARK
    exif[ExifTags.IFD.GPSInfo] = {ExifTags.GPS.GPSLatitudeRef: "N", ExifTags.GPS.GPSLatitude: (48.0, 1.0, 2.0)}
    photo = encoded(grey_photo, input_format, exif=exif.tobytes())
    assert MARK.encode() in photo
    answer = service.post(photo, n=1, seed=7, output_format=output_format, response_format="zip")
    with zipfile.ZipFile(BytesIO(answer.content)) as archive:
        (made,) = map(archive.read, archive.namelist())
    assert MARK.encode() not in made
    image = opened(made)
    assert not image.getexif()
    assert not {"exif", "comment"} & image.info.keys()
    # the coloring's own, not the photo's
    assert image.info["xmp"] == provenance(
        SampleOptions(1, 7), FakeColorizer.info.default_temperature, 0, FakeColorizer.info
    )
