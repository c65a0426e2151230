"""Quick first: slow files share half of the decoders, whoever sends them."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from service.errors import DecodingLimitError, LargePhotoError, ServiceError, SlowFileError, UndecodableImageError
from service.scheduling.quick_first import SLOW_OWNER_SECONDS, QuickFirst

NORMAL = "a normal client"


class Files:
    """Decodes slow files, which never end unless told, and normal ones, at once; notes each call."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, bool]] = []
        self.at_work = 0
        self.end = asyncio.Event()

    def slow(self, owner: str) -> Callable[[bool], Awaitable[None]]:
        async def decode(quick: bool) -> None:
            self.calls.append((owner, quick))
            if quick:
                raise SlowFileError
            self.at_work += 1
            await self.end.wait()
            self.at_work -= 1

        return decode

    def normal(self) -> Callable[[bool], Awaitable[None]]:
        async def decode(quick: bool) -> None:
            self.calls.append((NORMAL, quick))

        return decode


def run(check: Callable[[Files], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(30):
            await check(Files())

    asyncio.run(bounded())


async def settle() -> None:
    """Let all go on that can."""
    for _ in range(50):
        await asyncio.sleep(0)


@pytest.mark.parametrize("decoders", [2, 3, 4, 5])
def test_slow_files_of_many_owners_leave_decoders_to_others(decoders: int) -> None:
    async def check(files: Files) -> None:
        order = QuickFirst(decoders)
        attack = [
            asyncio.create_task(order.run(files.slow(owner), owner)) for owner in "abcdefgh" for _ in range(decoders)
        ]
        await settle()
        assert files.at_work == decoders // 2
        await order.run(files.normal(), NORMAL)
        assert files.calls[-1] == (NORMAL, True)
        files.end.set()
        await asyncio.gather(*attack)
        assert sum(not quick for _, quick in files.calls) == len(attack), "each slow file is decoded in the end"

    run(check)


def test_with_a_single_decoder_others_come_between_slow_files() -> None:
    async def check(files: Files) -> None:
        order = QuickFirst(1)
        attack = [asyncio.create_task(order.run(files.slow(owner), owner)) for owner in "abc"]
        await settle()
        normal = asyncio.create_task(order.run(files.normal(), NORMAL))
        await settle()
        assert (files.at_work, normal.done()) == (1, False)
        before = len(files.calls)  # a's file is the slow one at work
        files.end.set()
        await asyncio.gather(normal, *attack)
        tries, slow = files.calls[before : before + 3], files.calls[before + 3 :]
        assert tries == [("b", True), ("c", True), (NORMAL, True)]
        assert slow == [("b", False), ("c", False)]

    run(check)


def test_owners_of_slow_files_get_no_first_tries_for_a_while() -> None:
    async def check(files: Files) -> None:
        now = 0.0
        order = QuickFirst(4, lambda: now)
        files.end.set()
        for seconds in (0.0, SLOW_OWNER_SECONDS - 1, 2.0):
            now += seconds
            await order.run(files.slow("a"), "a")
        assert files.calls == [("a", True), ("a", False), ("a", False), ("a", True), ("a", False)]
        now += SLOW_OWNER_SECONDS
        await order.run(files.slow("b"), "b")
        assert order._slow_until.keys() == {"b"}, "owners are not remembered"

    run(check)


def test_who_is_given_up_during_a_first_try_is_not_slow() -> None:
    """Such as a good reference beside a broken photo."""

    async def check(files: Files) -> None:
        order = QuickFirst(2)
        task = asyncio.create_task(order.run(lambda quick: asyncio.Event().wait(), "a"))
        await settle()
        task.cancel()
        await settle()
        assert not order._is_slow("a")
        order.mark("a")
        assert order._is_slow("a")

    run(check)


def test_one_owner_holds_half_of_the_decoders() -> None:
    async def check(files: Files) -> None:
        order, at_work = QuickFirst(4), 0

        async def hang(quick: bool) -> None:
            nonlocal at_work
            at_work += 1
            await files.end.wait()

        work = [asyncio.create_task(order.run(hang, "a")) for _ in range(5)]
        await settle()
        assert at_work == 2
        files.end.set()
        await asyncio.gather(*work)
        assert at_work == 5

    run(check)


@pytest.mark.parametrize("error", [UndecodableImageError, DecodingLimitError])
def test_other_errors_are_final(error: type[ServiceError]) -> None:
    """A JPEG of more scans than may be is such a one: it took no time."""

    async def check(files: Files) -> None:
        order = QuickFirst(2)

        async def fail(quick: bool) -> None:
            files.calls.append(("a", quick))
            raise error

        with pytest.raises(error):
            await order.run(fail, "a")
        assert files.calls == [("a", True)]
        assert not order._slow_until

    run(check)


def test_a_large_photo_makes_no_other_file_of_its_owner_slow() -> None:
    async def check(files: Files) -> None:
        order, calls = QuickFirst(2), list[bool]()

        async def large(quick: bool) -> None:
            calls.append(quick)
            if quick:
                raise LargePhotoError

        await order.run(large, NORMAL)
        assert calls == [True, False]
        await order.run(files.normal(), NORMAL)
        assert files.calls == [(NORMAL, True)]

    run(check)
