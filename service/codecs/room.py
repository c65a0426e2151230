"""Room for pixels: how many may be decoded at once, and whose turn it is to decode more."""

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Condition

__all__ = ["Room", "Share"]


@dataclass(eq=False)
class Share:
    """Pixels of one file."""

    quick: bool
    held: int = 0
    wanted: int = 0
    """more, for which it waits"""
    is_given_up: bool = False


class Room:
    """How many pixels may be decoded at once, by all decoders together. Thread-safe."""

    def __init__(self, pixels: int, beside: int = 0) -> None:
        """pixels: of files on their second try. beside: how many more there are if some are on their first."""
        self._slow_pixels, self._pixels = pixels, pixels + beside
        self._shares: list[Share] = []
        """in the order in which the files came"""
        self._change = Condition()

    def enter(self, quick: bool = False) -> Share:
        """Return an empty share, for a file that comes now. quick: on its first try."""
        with self._change:
            self._shares.append(Share(quick))
            return self._shares[-1]

    def take(self, share: Share, pixels: int, seconds: float | None = None) -> None:
        """Wait until there is room for more pixels of a file. Raises TimeoutError, or EOFError if it is given up.

        A file that waits lets a later one pass only if there is room for both, so however many come, it waits for none
        of them. Alone, a file may take more than there is. seconds: None waits for ever.
        A file that holds pixels already passes those that wait and hold none. If another waits that holds some, too, it
        gets TimeoutError at once. Else they would wait for each other.
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
        """Say whether there is room for what some shares hold, with what those of them that wait want."""
        pixels = [(each.held + (each.wanted if each in waiting else 0), each.quick) for each in shares]
        slow = sum(count for count, quick in pixels if not quick)
        return slow <= self._slow_pixels and sum(count for count, _ in pixels) <= self._pixels
