"""Limit on the pixels decoded at once, and the order of the files that wait."""

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Condition

__all__ = ["Room", "Share"]


@dataclass(eq=False)
class Share:
    """The pixels of one file."""

    quick: bool
    held: int = 0
    wanted: int = 0
    """further pixels for which it waits"""
    is_given_up: bool = False


class Room:
    """Limit on the pixels that all decoders hold together. Thread-safe."""

    def __init__(self, pixels: int, beside: int = 0) -> None:
        """pixels: limit for files on their second try. beside: further pixels, for files on their first try only."""
        self._slow_pixels, self._pixels = pixels, pixels + beside
        self._shares: list[Share] = []
        """in order of arrival"""
        self._change = Condition()

    def enter(self, quick: bool = False) -> Share:
        """Return an empty share for a new file. quick: the file is on its first try."""
        with self._change:
            self._shares.append(Share(quick))
            return self._shares[-1]

    def take(self, share: Share, pixels: int, seconds: float | None = None) -> None:
        """Wait until there is room for more pixels of a file. Raises TimeoutError, or EOFError if it is given up.

        A later file passes a waiting one only if there is room for both, so later files never delay it. A lone file may
        exceed the limit. seconds: None waits without limit.
        A file that already holds pixels passes waiting files that hold none. If it finds no room while another such
        file waits, it gets TimeoutError at once: else the two would wait for each other.
        """
        with self._change:
            share.wanted = pixels
            try:
                if share.held and not self._fits(share) and any(e.held and e.wanted for e in self._others(share)):
                    raise TimeoutError(f"no room for {pixels} pixels more, and another file waits for more, too")
                if not self._change.wait_for(lambda: share.is_given_up or self._fits(share), seconds):
                    raise TimeoutError(f"no room for {pixels} pixels within {seconds:g} seconds")
                if share.is_given_up:
                    raise EOFError("nobody waits for it")
                share.held += pixels
            finally:
                share.wanted = 0
                self._change.notify_all()

    def give_up(self, share: Share) -> None:
        with self._change:
            share.is_given_up = True
            self._change.notify_all()

    def leave(self, share: Share) -> None:
        with self._change:
            self._shares.remove(share)
            self._change.notify_all()

    def _fits(self, share: Share) -> bool:
        place = self._shares.index(share)
        before = [i for i, each in enumerate(self._shares[:place]) if each.wanted and not share.held]
        is_alone = not any(each.held for each in self._others(share))
        return (is_alone or self._have_room(self._shares, share)) and all(
            self._have_room(self._shares[i:], share, self._shares[i]) for i in before
        )

    def _others(self, share: Share) -> list[Share]:
        return [each for each in self._shares if each is not share]

    def _have_room(self, shares: Sequence[Share], *waiting: Share) -> bool:
        """Say whether there is room for the pixels that `shares` hold and those that `waiting` want."""
        pixels = [(each.held + (each.wanted if each in waiting else 0), each.quick) for each in shares]
        slow = sum(count for count, quick in pixels if not quick)
        return slow <= self._slow_pixels and sum(count for count, _ in pixels) <= self._pixels
