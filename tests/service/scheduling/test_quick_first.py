"""Quick first: slow files share half of the decoders, regardless of their senders."""

import asyncio
from collections.abc import Awaitable, Callable
from unittest.mock import AsyncMock

import pytest

from service.errors import DecodingLimitError, LargePhotoError, ServiceError, SlowFileError, UndecodableImageError
from service.scheduling.quick_first import MEMORY_SECONDS, QuickFirst, Try

NORMAL = "a normal client"
pytestmark = pytest.mark.timeout(30)


class Files:
    """Decoders that record calls: normal files end at once, slow ones only when told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Try]] = []
        self.at_work = 0
        self.end = asyncio.Event()

    def slow(self, owner: str) -> Callable[[Try], Awaitable[None]]:
        async def decode(attempt: Try) -> None:
            self.calls.append((owner, attempt))
            if attempt is not Try.WHOLE:
                raise SlowFileError
            self.at_work += 1
            await self.end.wait()
            self.at_work -= 1

        return decode

    async def hang(self, attempt: Try) -> None:
        self.at_work += 1
        await self.end.wait()

    async def normal(self, attempt: Try) -> None:
        self.calls.append((NORMAL, attempt))


@pytest.fixture
def files() -> Files:
    return Files()


async def settle() -> None:
    """Let all tasks proceed as far as they can."""
    for _ in range(50):
        await asyncio.sleep(0)


@pytest.mark.parametrize("decoders", [2, 3, 4, 5])
async def test_slow_files_of_many_owners_leave_decoders_to_others(files: Files, decoders: int) -> None:
    order = QuickFirst(decoders)
    attack = [asyncio.create_task(order.run(files.slow(owner), owner)) for owner in "abcdefgh" for _ in range(decoders)]
    await settle()
    assert files.at_work == decoders // 2
    await order.run(files.normal, NORMAL)
    assert files.calls[-1] == (NORMAL, Try.FIRST)
    files.end.set()
    await asyncio.gather(*attack)
    whole = sum(attempt is Try.WHOLE for _, attempt in files.calls)
    assert whole == len(attack), "each slow file is decoded in the end"


async def test_with_a_single_decoder_others_come_between_slow_files(files: Files) -> None:
    order = QuickFirst(1)
    attack = [asyncio.create_task(order.run(files.slow(owner), owner)) for owner in "abc"]
    await settle()
    normal = asyncio.create_task(order.run(files.normal, NORMAL))
    await settle()
    assert (files.at_work, normal.done()) == (1, False)
    before = len(files.calls)  # a's slow file is at work
    files.end.set()
    await asyncio.gather(normal, *attack)
    tries, slow = files.calls[before : before + 3], files.calls[before + 3 :]
    assert tries == [("b", Try.FIRST), ("c", Try.FIRST), (NORMAL, Try.FIRST)]
    assert slow == [("b", Try.WHOLE), ("c", Try.WHOLE)]


async def test_owners_of_slow_files_get_brief_tries_for_a_while(files: Files) -> None:
    now = 0.0
    order = QuickFirst(4, lambda: now)
    files.end.set()
    for seconds in (0.0, MEMORY_SECONDS - 1, 2.0):
        now += seconds
        await order.run(files.slow("a"), "a")
    assert files.calls[::2] == [("a", Try.FIRST), ("a", Try.BRIEF), ("a", Try.FIRST)]
    assert files.calls[1::2] == [("a", Try.WHOLE)] * 3
    now += MEMORY_SECONDS
    await order.run(files.slow("b"), "b")
    assert order._slow_owners._until.keys() == {"b"}, "owners are not remembered for ever"


async def test_one_owner_holds_half_of_the_decoders(files: Files) -> None:
    order = QuickFirst(4)
    work = [asyncio.create_task(order.run(files.hang, "a")) for _ in range(5)]
    await settle()
    assert files.at_work == 2
    files.end.set()
    await asyncio.gather(*work)
    assert files.at_work == 5


@pytest.mark.parametrize("error", [UndecodableImageError, DecodingLimitError])
async def test_other_errors_are_final(error: type[ServiceError]) -> None:
    """A JPEG with too many scans raises such an error, which takes no time."""
    order, fail = QuickFirst(2), AsyncMock(side_effect=error)
    with pytest.raises(error):
        await order.run(fail, "a")
    fail.assert_awaited_once_with(Try.FIRST)
    assert not order._slow_owners._until


async def test_a_large_photo_makes_no_other_file_of_its_owner_slow(files: Files) -> None:
    order, large = QuickFirst(2), AsyncMock(side_effect=[LargePhotoError, None])
    await order.run(large, NORMAL)
    assert [call.args for call in large.await_args_list] == [(Try.FIRST,), (Try.WHOLE,)]
    await order.run(files.normal, NORMAL)
    assert files.calls == [(NORMAL, Try.FIRST)]


@pytest.mark.parametrize("decoders", [3, 4, 8])
async def test_first_tries_of_many_newcomers_leave_a_decoder_to_known_owners(files: Files, decoders: int) -> None:
    order = QuickFirst(decoders)
    await order.run(files.normal, NORMAL)
    burst = [asyncio.create_task(order.run(files.hang, str(i))) for i in range(3 * decoders)]
    newcomer = asyncio.create_task(order.run(files.normal, "a newcomer"))
    await settle()
    await order.run(files.normal, NORMAL)
    assert not newcomer.done()
    files.end.set()
    await asyncio.gather(newcomer, *burst)


async def test_a_quick_file_of_an_owner_of_slow_ones_waits_for_none_of_them(files: Files) -> None:
    """The owner may be many people behind one address."""
    order = QuickFirst(4)
    attack = [asyncio.create_task(order.run(files.slow("a"), "a")) for _ in range(12)]
    await settle()
    await order.run(files.normal, "a")
    assert (files.calls[-1], files.at_work) == ((NORMAL, Try.BRIEF), 1)
    files.end.set()
    await asyncio.gather(*attack)


async def test_brief_tries_are_one_at_a_time_whoever_asks(files: Files) -> None:
    order = QuickFirst(4)
    for owner in "abc":
        order.mark(owner)
    work = [asyncio.create_task(order.run(files.hang, owner)) for owner in "abc"]
    await settle()
    assert files.at_work == 1
    await order.run(files.normal, NORMAL)
    files.end.set()
    await asyncio.gather(*work)
