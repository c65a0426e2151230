"""The steps of a request, without a service."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from service.pipeline import Pipeline
from service.scheduling.backlog import Backlog


@pytest.mark.parametrize("turns", range(8))
async def test_no_cancellation_is_lost_while_files_decode(monkeypatch: pytest.MonkeyPatch, turns: int) -> None:
    """A cancellation counts at any moment; otherwise a deadline could pass unnoticed, and an answer begin after it."""

    async def decode(self: Pipeline, name: str, upload: bytes) -> str:
        await asyncio.sleep(0)
        return name

    monkeypatch.setattr(Pipeline, "_decode_one", decode)
    pipeline = Pipeline(None, Backlog({}, 1).enter(), asyncio.timeout(None), AsyncExitStack())
    decoding = asyncio.create_task(pipeline._decode({"image": b"", "reference": b""}))
    for _ in range(turns):
        await asyncio.sleep(0)
    if decoding.cancel():
        with pytest.raises(asyncio.CancelledError):
            await decoding
    else:
        assert await decoding == ("image", "reference")
