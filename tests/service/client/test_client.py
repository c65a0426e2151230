"""Both clients with the real application, over a socket and through ASGI."""

import asyncio
import gzip
import io
import re
from collections.abc import Callable
from contextlib import nullcontext
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import httpx
import numpy as np
import pytest
from PIL import Image

from service import client as public
from service.api.endpoints import COLOR_ENDPOINTS, LIKELIHOODS
from service.client import AsyncClient, Client
from tests.service.files import opened

EXTRA = {"x-request-id": "mine-1", "traceparent": f"00-{1:032x}-{1:016x}-01", "tracestate": None}
EXTRA |= {"authorization": "Bearer other"}
HINTS: list[public.Hint] = [{"x": 0.25, "y": np.float32(0.75), "color": "#a03c28"}]

CALLS: dict[str, Callable[[Any, bytes], Any]] = {
    "colorizations": lambda client, png: client.colorizations(png, n=2, seed=7, hints=HINTS, temperature=None),
    "variations": lambda client, png: client.variations(png, seed=7, index=1, levels=[8, 16], noise_seed=3),
    "transfers": lambda client, png: client.transfers(png, png, weights=[1, 1, 0.5, 0], seed=3),
    "interpolations": lambda client, png: client.interpolations(png, seed=7, index=0, to_index=2, steps=3),
    "interpolations to a reference": lambda client, png: client.interpolations(png, seed=7, index=0, reference=png),
    "likelihoods": lambda client, png: client.likelihoods(png),
    "models": lambda client, png: client.models(),
}


@pytest.fixture
def client(service):
    with Client(str(service.client.base_url)) as client:
        yield client


@pytest.mark.parametrize("name", CALLS)
async def test_blocking_and_asynchronous_say_the_same(service, client: Client, grey_png: bytes, name: str) -> None:
    one = CALLS[name](client, grey_png)
    async with AsyncClient("http://test", transport=httpx.ASGITransport(service.app)) as asynchronous:
        other = await CALLS[name](asynchronous, grey_png)
    varying = {"id", "created", "timings"}
    assert one.model_dump(exclude=varying) == other.model_dump(exclude=varying)
    if service.colorizer.options:
        assert service.colorizer.options[0] == service.colorizer.options[1]


@pytest.mark.parametrize("name", [name for name in CALLS if name not in ("likelihoods", "models")])
async def test_streams_bring_what_answers_hold(service, client: Client, grey_png: bytes, name: str) -> None:
    async with AsyncClient(str(service.client.base_url)) as other, CALLS[name](other.stream, grey_png) as colorings:
        assert colorings.done is None
        asynchronous = [coloring async for coloring in colorings], colorings.done
    whole, colorings = CALLS[name](client, grey_png), CALLS[name](client.stream, grey_png)
    for found, done in ((list(colorings), colorings.done), asynchronous):
        assert found == whole.data
        assert (done.seed, done.noise_seed, done.width) == (whole.seed, whole.noise_seed, whole.width)


class WithHeaders:
    """A client whose calls all have extra headers."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return partial(getattr(self._client, name), extra_headers=EXTRA)


async def test_each_request_of_a_call_has_its_headers(grey_png: bytes, tmp_path: Path, waits: list[float]) -> None:
    """For each method, blocking or not, streaming or not, and when it is repeated."""
    sent: list[httpx.Headers] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers)
        return httpx.Response(503 if len(sent) % 2 else 418)

    def check(accept: str, requests: int) -> None:
        assert len(sent) == requests
        for headers in sent:
            assert EXTRA.items() - headers.items() == {("tracestate", None)}
            assert headers.get_list("accept") == [accept]
        sent.clear()

    transport, photos = httpx.MockTransport(answer), tmp_path / "photos"
    photos.mkdir()
    for name in "ab":
        (photos / f"{name}.png").write_bytes(grey_png)
    with Client(transport=transport, api_key="own") as one:
        async with AsyncClient(transport=transport, api_key="own") as other:
            for name, call in CALLS.items():
                with pytest.raises(public.RequestError):
                    call(WithHeaders(one), grey_png)
                with pytest.raises(public.RequestError):
                    await call(WithHeaders(other), grey_png)
                check("application/json", requests=4)
                if name not in ("likelihoods", "models"):
                    with pytest.raises(public.RequestError):
                        next(call(WithHeaders(one.stream), grey_png))
                    with pytest.raises(public.RequestError):
                        await anext(call(WithHeaders(other.stream), grey_png))
                    check("text/event-stream", requests=4)
            list(one.folder(photos, tmp_path / "out", at_once=1, extra_headers=EXTRA))
            async for _ in other.folder(photos, tmp_path / "out", at_once=1, extra_headers=EXTRA):
                pass
            check("application/json", requests=8)
            with pytest.raises(public.RequestError):
                one.models()
            assert sent[-1]["authorization"] == "Bearer own"  # the next call has the client's own


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("accept", "image/png", "accept: the client sets this header itself; leave it out"),
        ("Content-Length", "3", "Content-Length: the client sets"),
        ("host", "example.com", "host: the client sets"),
        (b"X-Request-Id", "a", "b.X-Request-Id.: expected a name"),
        ("X-Request-Id", "a\r\nX-Other: b", "X-Request-Id: expected ASCII text without line breaks"),
        ("Authorization", "Bearer gehéim", "Authorization: expected ASCII text"),
        ("X-Request-Id", 7, "X-Request-Id: expected ASCII text"),
        ("X-Request-Id:", "a", "'X-Request-Id:': expected a name"),
    ],
)
def test_headers_that_cannot_be_sent_are_named(name: str, value: Any, said: str) -> None:
    with Client(transport=httpx.MockTransport(print)) as client:
        with pytest.raises(ValueError, match=f"^extra_headers: {said}") as caught:
            client.models(extra_headers={name: value})
        assert "geh" not in str(caught.value)


def test_arrays_of_every_kind_and_an_enumeration(service, client: Client, grey_png: bytes) -> None:
    for weights in ([1, 1, 0.5, 0], (1, 1, 0.5, 0), np.array([1, 1, 0.5, 0], np.float32), iter([1, 1, 0.5, 0])):
        client.transfers(grey_png, grey_png, weights=weights, seed=3)
    assert {options.weights for options in service.colorizer.options} == {(1, 1, 0.5, 0)}
    client.colorizations(grey_png, hints=[])
    with pytest.raises(public.InvalidParameterError, match="levels: expected coarse"):
        client.variations(grey_png, seed=7, index=1, levels=[])
    wrong: Any
    for wrong in ([(0.25, 0.75, "#a03c28")], np.eye(3), [(0.25, 0.75, b"#a03c28")]):
        with pytest.raises(public.InvalidParameterError, match="hints: 0: expected an object"):
            client.colorizations(grey_png, hints=wrong)
    wrong = {1: 2, 0.5: 1, 0: 3, 0.25: 0}
    with pytest.raises(public.InvalidParameterError, match="weights: "):
        client.transfers(grey_png, grey_png, weights=wrong)
    without_dimensions: Any = np.array(3)
    assert client.colorizations(grey_png, seed=without_dimensions).seed == 3
    select: Any = Enum("Select", {"SPREAD": "diverse"}, type=str)("diverse")  # `str` gives Select.SPREAD
    client.colorizations(grey_png, select=select, candidates=4)
    assert service.colorizer.options[-1].select == "diverse"


def test_a_zip_is_refused_in_words(client: Client, grey_png: bytes) -> None:
    fields: dict[str, Any] = {"response_format": "zip"}
    with pytest.raises(public.RequestError, match="application/zip"):
        client.colorizations(grey_png, **fields)


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_proxies_that_httpx_cannot_use(kind: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "[::1]")
    with pytest.raises(ValueError, match=r"NO_PROXY.*expected a URL"):
        kind()
    kind(transport=httpx.MockTransport(print))  # a transport of its own needs no proxy


def test_the_public_methods_are_the_endpoints() -> None:
    names = {f"{each.name}s" for each in (*COLOR_ENDPOINTS, LIKELIHOODS)}
    for kind in (Client, AsyncClient):
        assert {name for name in dir(kind) if not name.startswith("_")} == {*names, "models", "folder", "close"}


def test_colorings_as_bytes_images_and_files(client: Client, grey_png: bytes, tmp_path: Path) -> None:
    answer = client.colorizations(grey_png, n=2, seed=7, output_format="png")
    first = answer.data[0]
    image = opened(first.content)
    assert (image.format, image.size) == ("PNG", (answer.width, answer.height))
    np.testing.assert_array_equal(np.asarray(first.image), np.asarray(image))
    first.save(tmp_path / "first.png")
    assert (tmp_path / "first.png").read_bytes() == first.content
    assert first.content != answer.data[1].content


def test_photos_come_as_paths_bytes_files_and_images(
    service, client: Client, grey_photo: Image.Image, grey_png: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(grey_png)
    with gzip.open(tmp_path / "photo.png.gz", "wb") as file:
        file.write(grey_png + bytes(100_000))
    with path.open("rb") as file, gzip.open(tmp_path / "photo.png.gz") as decompressed:
        for source in (path, str(path), grey_png, file, grey_photo, decompressed):
            client.colorizations(source, n=1)
        assert not file.closed
    assert len(service.colorizer.photos) == 6
    for photo in service.colorizer.photos:
        np.testing.assert_array_equal(photo, np.asarray(grey_photo))
    with pytest.raises(FileNotFoundError):
        client.colorizations(tmp_path / "missing.png")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda png: png + b"more", nullcontext()),
        (lambda png: png[:20], pytest.raises(OSError, match="became shorter")),
    ],
)
def test_a_file_that_changes_while_it_is_sent(service, grey_png: bytes, tmp_path: Path, change, expected) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(grey_png)

    class Changing(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            photo.write_bytes(change(grey_png))
            return super().handle_request(request)

    with Client(str(service.client.base_url), transport=Changing()) as client, expected:
        client.colorizations(photo, n=1)


@pytest.mark.parametrize("mode", Image.MODES)
def test_pillow_images_of_every_mode(service, client: Client, mode: str) -> None:
    client.colorizations(Image.new(mode, (12, 8)), n=1)
    assert service.colorizer.photos[0].shape[:2] == (8, 12)


@pytest.mark.parametrize("mode", [mode for mode in Image.MODES if mode.startswith("I;16")])
def test_pillow_images_of_16_bits_keep_them(service, client: Client, mode: str) -> None:
    order = {"I;16B": ">u2", "I;16N": "=u2"}.get(mode, "<u2")
    levels = np.linspace(0, 65_535, 96).astype(order).reshape(8, 12)
    client.colorizations(Image.frombytes(mode, (12, 8), levels.tobytes()), n=1)
    np.testing.assert_array_equal(service.colorizer.photos[0], levels)


async def test_calls_at_once_may_share_an_image(service, tmp_path: Path) -> None:
    Image.effect_noise((1000, 1000), 50).save(tmp_path / "shared.jpg")
    async with AsyncClient(str(service.client.base_url)) as client:
        with Image.open(tmp_path / "shared.jpg") as shared:  # nothing has loaded its pixels
            answers = await asyncio.gather(*(client.likelihoods(shared) for _ in range(4)))
    assert len(answers) == 4


async def test_calls_at_once_may_share_a_file(service, tmp_path: Path) -> None:
    photo = Image.effect_noise((500, 500), 50)
    photo.save(tmp_path / "shared.bmp")  # whatever its order, it decodes
    async with AsyncClient(str(service.client.base_url)) as client:
        with (tmp_path / "shared.bmp").open("rb") as shared:
            await asyncio.gather(*(client.colorizations(shared, n=1) for _ in range(4)))
    assert len(service.colorizer.photos) == 4
    for sent in service.colorizer.photos:
        np.testing.assert_array_equal(sent, np.asarray(photo))


async def test_other_tasks_go_on_while_an_image_is_written(service, monkeypatch: pytest.MonkeyPatch) -> None:
    image, loop = Image.new("L", (8, 8)), asyncio.get_running_loop()
    written = asyncio.Event()

    def save(*arguments: Any, **options: Any) -> None:
        asyncio.run_coroutine_threadsafe(written.wait(), loop).result(10)
        Image.Image.save(image, *arguments, **options)

    monkeypatch.setattr(Image.Image, "convert", lambda self, mode: Mock(save=save))
    async with AsyncClient("http://test", transport=httpx.ASGITransport(service.app)) as client:
        call = asyncio.create_task(client.colorizations(image, n=1))
        await asyncio.sleep(0)
        written.set()
        assert len((await call).data) == 1


def test_an_upload_is_streamed() -> None:
    """The file is read and sent in pieces, never as a whole."""
    events: list[str] = []

    class Watched(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            events.append(f"read {size}")
            return super().read(size)

    class Transport(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            for _ in request.stream:  # type: ignore[union-attr]
                events.append("sent")
            return httpx.Response(400, json={})

    with Client(transport=Transport()) as client, pytest.raises(public.MalformedRequestError):
        client.colorizations(Watched(bytes(1_000_000)))
    reads = [event for event in events if event.startswith("read")]
    assert len(reads) > 10
    assert "read -1" not in reads
    assert events.index("sent") < events.index(reads[1], events.index(reads[0]) + 1)


def test_connections_are_used_again(service, client: Client, grey_png: bytes) -> None:
    answered = Mock()
    client._http.event_hooks = {"response": [answered]}
    for _ in range(3):
        client.colorizations(grey_png, n=1)
    streams = [call.args[0].extensions["network_stream"] for call in answered.call_args_list]
    assert len({stream.get_extra_info("client_addr") for stream in streams}) == 1


@pytest.mark.parametrize(("given", "pool"), [({}, None), ({"timeout": 3}, None), ({"timeout": httpx.Timeout(3)}, 3)])
async def test_calls_wait_for_a_free_connection(given: dict[str, Any], pool: float | None) -> None:
    """If there are many more calls at once than connections, some wait longer than any single answer takes."""
    answer = Mock(side_effect=lambda _: httpx.Response(200, json={"object": "list", "data": []}))
    with Client(transport=httpx.MockTransport(answer), **given) as client:
        client.models()
    async with AsyncClient(transport=httpx.MockTransport(answer), **given) as client:
        await client.models()
    assert [call.args[0].extensions["timeout"]["pool"] for call in answer.call_args_list] == [pool, pool]


def test_an_api_key_is_a_bearer_token() -> None:
    answer = Mock(side_effect=lambda _: httpx.Response(200, json={"object": "list", "data": []}))
    for key in ("secret", None):
        with Client(api_key=key, transport=httpx.MockTransport(answer)) as client:
            client.models()
    assert [call.args[0].headers.get("authorization") for call in answer.call_args_list] == ["Bearer secret", None]


NO_URL = "expected a URL such as http://localhost:8000, without ? or #, got "
NO_KEY = "api_key: expected ASCII characters without spaces or line breaks"


@pytest.mark.parametrize("kind", [Client, AsyncClient])
@pytest.mark.parametrize(
    ("given", "message"),
    [
        *(({"url": url}, NO_URL + url) for url in ("http://localhost:99999", "http://[::1", "http://", "http://host?")),
        *(({"url": url}, NO_URL + url) for url in ("localhost:8000", "http://host?x=1", "http://host#x")),
        ({"url": "http://me:secret@host?x=1"}, NO_URL + "http://…@host?x=1"),
        *(({"api_key": key}, NO_KEY) for key in ("secret\n", "se cret", "sécret")),
    ],
)
def test_a_wrong_url_or_key_shows_no_secret(kind: type[Client], given: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        kind(**given)
