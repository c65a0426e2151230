"""A decoder that hangs, crashes, exhausts memory or is killed fails only its own request."""

import os
import signal
import socket
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import psutil
import pytest
from PIL import Image

from service.codecs import sandbox
from service.codecs.decoded_photo import DecodedPhoto
from service.codecs.decoding import decode
from service.codecs.room import Room, Share
from service.codecs.sandbox import SLOW_NICE, Decoders, Ticket, _Decoder
from service.codecs.sandbox_channel import HAS_SEALS, receive, send
from service.codecs.sandbox_limits import BRIEF_SECONDS, processor_seconds
from service.errors import (
    DecoderLostError,
    DecodingLimitError,
    ImageTypeError,
    LargePhotoError,
    UndecodableImageError,
)
from tests.service.files import BOMB_BYTES, encoded, random_image, tiff
from tests.service.waiting import eventually

MAX_PIXELS = 50_000_000
SECONDS = 20
PROGRESSIVE = encoded(Image.new("L", (64, 64)), "JPEG", progressive=True)
needs_seals = pytest.mark.skipif(not HAS_SEALS, reason="Linux alone seals files")
needs_linux = pytest.mark.skipif(
    sys.platform != "linux", reason="Linux alone limits what a process takes, and tells it"
)


@pytest.fixture
def own() -> Iterator[Decoders]:
    """Decoders that a test may break; none runs yet."""
    made = Decoders(SECONDS)
    yield made
    made.close()


def processes(of: Decoders) -> list[int]:
    """Return the process ids of all decoders, including those at work."""
    return sorted(each._process.pid for each in of._all)


@pytest.fixture
def pid(own: Decoders, grey_png: bytes) -> int:
    """The process id of a decoder of `own` that has decoded a photo."""
    own.decode(grey_png, MAX_PIXELS)
    (pid,) = processes(own)
    return pid


@pytest.mark.parametrize(
    ("channels", "levels"), [((), np.uint8), ((2,), np.uint8), ((3,), np.uint8), ((4,), np.uint8), ((), np.uint16)]
)
def test_photo_is_the_one_decoded_here(decoders: Decoders, channels: tuple[int, ...], levels: type) -> None:
    draws = np.random.default_rng(5).integers(0, np.iinfo(levels).max, (24, 40, *channels), levels)
    data = encoded(Image.fromarray(draws))
    here, there = decode(data, MAX_PIXELS), decoders.decode(data, MAX_PIXELS)
    assert there.pixels.dtype == here.pixels.dtype == levels
    np.testing.assert_array_equal(there.pixels, here.pixels)
    np.testing.assert_array_equal(there.alpha, here.alpha)  # or None


def test_a_small_file_sets_no_limits_for_a_later_large_one(decoders: Decoders, grey_png: bytes) -> None:
    decoders.decode(grey_png, MAX_PIXELS)
    before = processes(decoders)
    with pytest.raises(ImageTypeError, match="reference"):
        decoders.decode(bytes(80_000_000), MAX_PIXELS, "reference")
    assert processes(decoders) == before, "a refusal costs no process"


def test_one_that_does_not_answer_is_killed_and_replaced_and_no_file_is_to_blame(
    own: Decoders, pid: int, grey_png: bytes
) -> None:
    os.kill(pid, signal.SIGSTOP)  # it no longer answers, like an endless loop
    own._seconds = 0.01
    started = time.monotonic()
    with pytest.raises(DecoderLostError, match="did not answer"):
        own.decode(grey_png, MAX_PIXELS)
    assert time.monotonic() - started < SECONDS / 2
    assert not Path(f"/proc/{pid}").exists()
    own._seconds = SECONDS
    (other,) = processes(own)
    assert other != pid
    assert own.decode(grey_png, MAX_PIXELS).width == 40
    assert processes(own) == [other], "the one that took its place decodes"


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT])
def test_a_file_that_makes_its_decoder_crash_is_to_blame(
    own: Decoders, pid: int, grey_png: bytes, number: signal.Signals
) -> None:
    os.kill(pid, signal.SIGSTOP)  # so that it is at work until it dies

    def die() -> None:
        os.kill(pid, number)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)  # a stopped process takes the signal only now

    threading.Timer(0.1, die).start()
    with pytest.raises(UndecodableImageError, match="crash"):
        own.decode(grey_png, MAX_PIXELS)
    assert own.decode(grey_png, MAX_PIXELS).width == 40
    assert pid not in processes(own)


def test_one_that_died_idle_costs_no_request_an_error(own: Decoders, pid: int, grey_png: bytes) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # it is dead, but not yet reaped
    assert own.decode(grey_png, MAX_PIXELS).width == 40
    assert len(processes(own)) == 1
    assert pid not in processes(own)


def test_service_that_stops_is_not_deserted(decoders: Decoders, grey_png: bytes) -> None:
    decoders.decode(grey_png, MAX_PIXELS)
    for pid in processes(decoders):
        os.kill(pid, signal.SIGTERM)  # as systemd sends to every process of a service
        os.kill(pid, signal.SIGINT)
    assert decoders.decode(grey_png, MAX_PIXELS).width == 40


def test_no_process_outlives_it(own: Decoders, grey_png: bytes) -> None:
    own.decode(grey_png, MAX_PIXELS)
    own.start()
    pids = processes(own)
    assert len(pids) == 2
    own.close()
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def tiled_tiff(side: int, tile_side: int) -> bytes:
    """Return a gray TIFF, stored as one tile of zeros that may be larger than the photo."""
    tile = zlib.compress(bytes(tile_side * tile_side), 1)
    values = {256: side, 257: side, 258: 8, 259: 8, 262: 1, 277: 1, 322: tile_side, 323: tile_side, 325: len(tile)}
    values[324] = 8 + 2 + 12 * (len(values) + 1) + 4
    return tiff({tag: (4, 1, value) for tag, value in values.items()}, tile)


@needs_linux
def test_memory_is_limited_by_the_size_in_the_header(own: Decoders, pid: int, grey_png: bytes) -> None:
    """The photo has 16×16 pixels, but its tile has 268 megapixels, which would take 256 MiB of memory."""
    np.testing.assert_array_equal(own.decode(tiled_tiff(16, 16), MAX_PIXELS).pixels, np.zeros((16, 16)))
    before = psutil.Process(pid).memory_info().rss
    with pytest.raises((DecodingLimitError, UndecodableImageError)):
        own.decode(tiled_tiff(16, 16_384), MAX_PIXELS)
    peak = Path(f"/proc/{pid}/status").read_text().split("VmHWM:")[1].split()[0]
    assert 1024 * int(peak) - before < BOMB_BYTES
    assert own.decode(grey_png, MAX_PIXELS).width == 40


def test_any_failure_ends_a_decoder_and_forgets_it(own: Decoders, pid: int, grey_png: bytes, monkeypatch) -> None:
    """One failure is a process at its limit of open files, which loses the file descriptors of a message."""
    monkeypatch.setattr("socket.recv_fds", lambda *_: (b"{}", [], 0, None))
    with pytest.raises(DecoderLostError):
        own.decode(grey_png, MAX_PIXELS)
    monkeypatch.undo()
    assert pid not in processes(own)
    assert len(own._idle) == len(own._all) == 1


@needs_linux
@pytest.mark.usefixtures("slow_files")
@pytest.mark.parametrize(("seconds", "quick"), [(0.2, False), (1e9, True)])
def test_a_file_that_takes_too_long_is_ended(own: Decoders, monkeypatch, seconds: float, quick: bool) -> None:
    """The second file would have 20,000 seconds on its second try."""
    monkeypatch.setattr(sandbox, "PATIENCE", 500)  # so that processor time ends it, even on a very busy machine
    own._seconds = seconds
    with pytest.raises(DecodingLimitError, match="too long"):
        own.decode(b"slow", MAX_PIXELS, quick=quick)


def test_a_first_try_of_few_bytes_has_the_time_that_these_take() -> None:
    phone, small = (processor_seconds(20, 12_500_000, 50_000_000, size) for size in (3_000_000, 50_000))
    assert (phone, small) == pytest.approx((3.0, 0.6))
    assert processor_seconds(20, 12_500_000, 50_000_000) == 6.5
    assert processor_seconds(20, 60_000, 50_000_000, 3_000_000) == pytest.approx(0.512)


def test_a_brief_try_has_less_time(decoders: Decoders, grey_png, monkeypatch) -> None:
    sent = Mock(wraps=send)
    monkeypatch.setattr(sandbox, "send", sent)
    for brief in (True, False):
        decoders.decode(grey_png, MAX_PIXELS, quick=True, brief=brief)
    orders = [call.args[1] for call in sent.call_args_list]
    assert [order["seconds"] for order in orders if order] == [BRIEF_SECONDS, SECONDS]


def test_a_first_try_decodes_12_megapixels_and_no_larger_photo(decoders: Decoders) -> None:
    phone = random_image(384, 510, 3).resize((4080, 3072))
    assert decoders.decode(encoded(phone, "JPEG", progressive=True), MAX_PIXELS, quick=True).width == 4080
    before = processes(decoders)
    large = encoded(Image.new("L", (5000, 3000)))
    with pytest.raises(LargePhotoError, match="first try"):
        decoders.decode(large, MAX_PIXELS, quick=True)
    assert processes(decoders) == before, "a large photo costs no process"
    assert decoders.decode(large, MAX_PIXELS).width == 5000


@pytest.fixture
def computing(slow_files, own: Decoders, pid: int, pool) -> Callable[..., Future]:
    """A function that starts to decode a slow file, and returns once its decoder computes."""

    def begin(**options: Ticket) -> Future:
        computed = psutil.Process(pid).cpu_times
        before = computed().user
        working = pool.submit(own.decode, b"slow", MAX_PIXELS, **options)
        eventually(lambda: computed().user >= before + 0.2)
        return working

    return begin


def test_a_decoder_ends_with_the_service_however_that_ended(own: Decoders, computing) -> None:
    working = computing()
    (decoder,) = own._all
    decoder._life.close()  # as the kernel does when this process is killed
    assert decoder._process.wait(SECONDS) == -signal.SIGIO
    assert isinstance(working.exception(), DecoderLostError)


def test_a_jpeg_of_very_many_scans_is_refused_unseen() -> None:
    scan = PROGRESSIVE[PROGRESSIVE.index(b"\xff\xda") : -2]
    for between in (b"", b"\xff\x01", b"\xff\xff", b"\xff\xd0"):  # decoders skip these bytes
        with pytest.raises(DecodingLimitError, match="scans"):
            decode(PROGRESSIVE[:-2] + (between + scan) * 100 + PROGRESSIVE[-2:], MAX_PIXELS)


def test_scans_are_those_of_the_picture_alone() -> None:
    video = b"\xff\xda\x00\x02" * 1000
    comment = b"\xff\xfe" + (2 + len(video)).to_bytes(2) + video
    assert decode(PROGRESSIVE + video, MAX_PIXELS).width == 64
    assert decode(PROGRESSIVE[:2] + comment + PROGRESSIVE[2:], MAX_PIXELS).width == 64


@pytest.mark.parametrize("step", ["os.pipe", "subprocess.Popen"])
def test_decoders_that_cannot_start_leave_nothing_open(monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    monkeypatch.setattr(step, Mock(side_effect=OSError("too many open files")))
    process, errors = psutil.Process(), []
    before = process.num_fds()
    for _ in range(5):
        with pytest.raises(OSError, match="too many") as error:
            _Decoder(Room(1), quick=False, slow_nice=0)
        errors.append(error)  # its frames keep unclosed files alive
    assert process.num_fds() == before


def take(room: Room, pixels: int, quick: bool = False) -> Share:
    share = room.enter(quick)
    room.take(share, pixels, 0)
    return share


def wait(room: Room, share: Share, pixels: int) -> None:
    """Have another thread wait for room indefinitely."""
    threading.Thread(target=room.take, args=(share, pixels), daemon=True).start()
    eventually(lambda: share.wanted)


def test_no_more_pixels_are_decoded_at_once_than_there_is_room_for() -> None:
    room = Room(10)
    first, second = take(room, 8), room.enter()
    wait(room, second, 5)
    third = take(room, 2)  # a file that still fits does not wait
    assert not second.held
    room.leave(first)
    eventually(lambda: second.held == 5)
    for share in (second, third):
        room.leave(share)
    take(room, 11)  # granted when alone; otherwise it would wait forever


def test_first_tries_have_room_beside_slow_files() -> None:
    room = Room(10, beside=3)
    slow = take(room, 10)
    with pytest.raises(TimeoutError):  # though it would fit
        take(room, 1)
    quick = [take(room, 1, quick=True) for _ in range(3)]
    with pytest.raises(TimeoutError):
        take(room, 1, quick=True)
    room.leave(slow)
    for share in quick[1:]:
        room.leave(share)
    take(room, 9, quick=True)
    take(room, 3)


def test_a_large_file_gets_its_room_however_many_come_after_it() -> None:
    room = Room(50, beside=13)
    passing = [take(room, 12, quick=True) for _ in range(2)]
    large = room.enter()
    wait(room, large, 49)
    for _ in range(5):
        with suppress(TimeoutError):
            passing.append(take(room, 12, quick=True))
        room.leave(passing.pop(0))
        if len(passing) == 1:
            eventually(lambda: large.held == 49)
    assert large.held == 49
    small = take(room, 1, quick=True)
    assert small.held, "there is room beside it"


def test_those_that_fit_beside_a_large_file_pass_it_while_it_waits() -> None:
    room = Room(50, beside=13)
    first, second = take(room, 49), room.enter()
    wait(room, second, 49)
    for _ in range(3):
        room.leave(take(room, 12, quick=True))
    room.leave(first)
    eventually(lambda: second.held == 49)


def test_two_files_that_hold_a_part_of_the_room_do_not_wait_for_each_other() -> None:
    room = Room(50)
    first, second = take(room, 30), take(room, 20)
    wait(room, first, 15)
    began = time.monotonic()
    with pytest.raises(TimeoutError, match="another file waits"):
        room.take(second, 15, SECONDS / 4)
    assert time.monotonic() - began < SECONDS / 8
    room.leave(second)
    eventually(lambda: first.held == 45)


def test_a_file_that_holds_a_part_does_not_wait_for_one_that_waits_for_it() -> None:
    room = Room(50)
    first, second = room.enter(), take(room, 10)
    wait(room, first, 49)
    room.take(second, 5, 0)
    room.leave(second)
    eventually(lambda: first.held == 49)


@pytest.fixture
def room(own: Decoders) -> Room:
    """Room for one small photo in the decoders."""
    own._room = Room(40 * 24)
    return own._room


def test_a_file_that_nobody_waits_for_waits_for_no_room(own: Decoders, room: Room, pool, grey_png: bytes) -> None:
    ticket = Ticket()
    take(room, 1)
    working = pool.submit(own.decode, grey_png, MAX_PIXELS, ticket=ticket)
    eventually(lambda: any(share.wanted for share in room._shares))
    ticket.cancel()
    assert isinstance(working.exception(SECONDS / 4), DecoderLostError)


def test_no_thread_waits_for_room_for_ever(own: Decoders, room: Room, grey_png: bytes) -> None:
    own.decode(grey_png, MAX_PIXELS)  # it has started
    held = take(room, 1)
    own._seconds = 0.1
    with pytest.raises(DecoderLostError):
        own.decode(grey_png, MAX_PIXELS)
    assert room._shares == [held]
    room.leave(held)
    own._seconds = SECONDS
    assert own.decode(grey_png, MAX_PIXELS).width == 40


@needs_linux
def test_a_decoder_is_killed_when_nobody_waits_for_it_and_a_ticket_tells_what_its_file_cost(
    own: Decoders, computing, pid: int, grey_png: bytes
) -> None:
    ticket = Ticket()
    working = computing(ticket=ticket)
    assert ticket.cancel() >= 0.1
    assert isinstance(working.exception(SECONDS / 2), DecoderLostError)
    assert ticket.cancel() == 0, "it is over"
    left = processes(own)
    assert pid not in left
    with pytest.raises(DecoderLostError):  # given up before it began
        own.decode(grey_png, MAX_PIXELS, ticket=ticket)
    assert processes(own) == left, "no decoder was to blame"


def test_slow_files_have_nicer_decoders_of_their_own(own: Decoders, grey_png: bytes) -> None:
    own._slow_nice = SLOW_NICE
    for quick in (True, False, True, False):
        own.decode(grey_png, MAX_PIXELS, quick=quick)
    own_niceness = os.getpriority(os.PRIO_PROCESS, 0)
    nice = {each.quick: os.getpriority(os.PRIO_PROCESS, each._process.pid) - own_niceness for each in own._all}
    assert (len(own._all), nice[True]) == (2, 0)
    assert nice[False] > 0


@needs_seals
def test_contents_are_mapped_as_linux_before_6_7_allows_too() -> None:
    """Linux before 6.7 does not allow shared mappings of write-sealed files, not even for reading."""
    one, other = socket.socketpair()
    with one, other:
        send(one, {}, [b"a photo"])
        _, contents = receive(other)
        assert contents.readonly
        assert bytes(contents) == b"a photo"
        maps = [line.split() for line in Path("/proc/self/maps").read_text().splitlines() if "memfd:tintflow" in line]
        assert {access for _, access, *_ in maps} == {"r--p"}


@needs_seals
def test_contents_that_could_still_change_are_refused() -> None:
    """A compromised decoder could shrink them while the service reads, which would crash the service."""
    one, other = socket.socketpair()
    with one, other, open(os.memfd_create("unsealed", os.MFD_ALLOW_SEALING), "wb") as file:  # noqa: PTH123
        file.write(bytes(10_000))
        file.flush()
        socket.send_fds(one, [b"{}"], [file.fileno()])
        with pytest.raises(PermissionError, match="not sealed"):
            receive(other)
        send(one, {}, [bytes(10_000)])
        _, files, _, _ = socket.recv_fds(other, 100, 1)
        with pytest.raises(PermissionError):
            os.ftruncate(files[0], 0)
        os.close(files[0])


@pytest.mark.parametrize(
    "note",
    [
        {"shape": [50, 51], "type": "uint8"},
        {"shape": [-50, -50], "type": "uint8"},
        {"shape": [25, 50, 4], "type": "uint8"},
        {"shape": [25, 50, 3], "type": "uint16"},
        {"shape": [50, 50], "type": "float32"},
        {"shape": [2500], "type": "uint8"},
    ],
)
def test_what_is_no_photo_of_the_announced_size_is_refused(note: dict[str, object]) -> None:
    contents = memoryview(bytes(20_000))
    assert DecodedPhoto.unpacked({"shape": [50, 50], "type": "uint16", "alpha": False}, contents, 2500).width == 50
    with pytest.raises(ValueError, match="no photo of at most 2500"):
        DecodedPhoto.unpacked(note | {"alpha": False}, contents, 2500)


def test_decoders_inherit_no_secrets(own: Decoders, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"AWS_SECRET_ACCESS_KEY", "TINTFLOW_KEYS", "HOMEBREW_TOKEN", "LC_ALL", "MALLOC_ARENA_MAX"}
    for name in names:
        monkeypatch.setenv(name, "2")
    given = {}
    monkeypatch.setattr("service.codecs.sandbox.subprocess.Popen", lambda *_, env, **__: given.update(env) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        own.start()
    assert names & set(given) == {"LC_ALL", "MALLOC_ARENA_MAX"}
    assert {"PATH", "PYTHONPATH"} <= set(given)


def test_a_decoder_that_comes_back_after_the_end_is_not_kept(own: Decoders) -> None:
    own.start()
    decoder = own._take(quick=False)
    own.close()
    own._put_back(decoder, Ticket())
    assert not own._idle
