"""The pipeline of one photo: decode → shrink → draw → finish → encode."""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping
from concurrent.futures import Executor
from contextlib import AsyncExitStack, aclosing, suppress
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np
import structlog
from numpy.typing import NDArray

from model.options import Color, Options, SampleOptions, VariationOptions
from model.protocol import Colorizer, Drawn, DrawTask, HintMatch, SmallPhoto
from service.api import schemas
from service.api.endpoints import ColorEndpoint, Endpoint
from service.api.formats import FORMATS, OutputFormat
from service.codecs.decoded_photo import DecodedPhoto
from service.codecs.encoding import check_output_size, encode
from service.codecs.sandbox import Decoders, Ticket
from service.errors import OutputSizeError, SlowFileError
from service.network import CHECK, Network
from service.provenance import provenance
from service.scheduling.backlog import Place
from service.scheduling.lanes import FILE_BYTES, MAX_UNREAD_BYTES, Lanes
from service.scheduling.parts import cost_of
from service.scheduling.quick_first import QuickFirst, Try
from service.scheduling.turns import Turn
from service.settings import Settings
from service.telemetry.metrics import Metrics
from service.telemetry.tracing import record_stages
from service.threads import run_on

__all__ = ["Colorization", "Output", "Pipeline", "Sample", "Tools"]

T = TypeVar("T")

CHECK_QUALITY = 90
GRACE_SECONDS = 0.5
"""Time for which a first try may go on after its client hangs up: most end sooner than a new decoder starts."""
DEATH_SECONDS = 10.0
"""Maximum wait for a killed decoder to end. A process that the system cannot end does not hold up a request."""
ORDINARY_SECONDS = 1.5
"""Processor time above which a file counts as slow if its client hangs up. Ordinary first tries take less."""
log = structlog.get_logger()


@dataclass(frozen=True)
class Sample:
    """One coloring as a file."""

    data: bytes
    coloring: schemas.Coloring
    """the coloring's part of a JSON answer, without the file"""


@dataclass(frozen=True)
class Colorization:
    """N colorings of one photo, and the facts known before the first is encoded."""

    facts: schemas.ColorizationFacts
    drawn: Drawn
    output_format: OutputFormat
    samples: AsyncGenerator[Sample]
    """yields each coloring as soon as it is encoded"""
    timings: dict[str, float]
    """seconds of `decode`, `queue` (waiting for the network), `condition` and `sample`; `upsample` and `encode` come
    with the last sample"""


@dataclass(frozen=True)
class Output:
    """The form of the files of colorings."""

    format: OutputFormat
    quality: int
    """1 … 100, of JPEG and WebP"""
    max_side: int | None
    """maximum of a side in pixels; None if they are as large as the photo"""


@dataclass(frozen=True)
class Tools:
    """Resources that the requests of one process share."""

    settings: Settings
    metrics: Metrics
    steps: Colorizer
    network: Network
    lanes: Lanes
    decoders: Decoders
    decoding: Executor
    """threads that wait for decoders"""
    quick_first: QuickFirst
    """order in which files are decoded"""


class Pipeline:
    """The steps of one accepted request. `Engine.accept` makes it, holds its place and enforces its deadline."""

    def __init__(self, tools: Tools, place: Place, deadline: asyncio.Timeout, held: AsyncExitStack) -> None:
        """held: what the request holds besides, until its last byte is sent."""
        self._tools = tools
        self._deadline = deadline
        self._held = held
        self.place = place
        self.is_uploaded = self.is_answering = False

    def begin_answer(self) -> None:
        """Restart the deadline: reading the answer may take as long as making it."""
        self.is_answering = True
        self._deadline.reschedule(asyncio.get_running_loop().time() + self._tools.settings.deadline_seconds)

    async def colorize(
        self,
        endpoint: ColorEndpoint,
        uploads: Mapping[str, bytes],
        options: Options,
        output: Output,
    ) -> Colorization:
        """Turn uploads into drawn colorings, which are finished and encoded as they are taken.

        If cancelled or closed, drops work that its threads have not begun.
        Raises the errors of `decode`, OutputSizeError, QueueFullError and ModelError.
        """
        timer, cost = _Timer(), cost_of(options)
        with self._tools.network.coming():
            photo, reference = await self._decode(uploads)
        timer.stop("decode")
        fitted = photo
        if output.max_side is not None:
            fitted = await self._tools.lanes.of(photo.width * photo.height).run(photo.fitted, output.max_side)
            if fitted is not photo:
                self.place.claim(pixels=fitted.width * fitted.height)
        lane = self._tools.lanes.of(self._claim_answer(fitted, options.samples, output.format))
        # not before: a file that does not decode draws nothing; what waits for its turn keeps no other from it
        (self.place.promise if lane.turns.must_wait(self.place.owner) else self.place.claim)(latents=cost)
        turn = await self._held.enter_async_context(lane.turns.turn(self.place.owner))
        self.place.keep()
        with self._tools.network.coming():
            small = await self._shrink(photo)
            wanted = None if reference is None else await self._shrink(reference, with_chroma=True)
        drawn = await self._tools.network.draw(DrawTask(small, options, wanted), cost, self.place.owner)
        timer.stop("queue", but=drawn.timings)
        self.place.give_back("latents")  # keep the rest of the place until the answer is read
        model = self._tools.steps.info

        def to_file(rgb: NDArray[np.uint8], place: int) -> bytes:
            xmp = provenance(options, drawn.temperature, drawn.indices[place], model)
            return encode(rgb, fitted.alpha, output.format, output.quality, xmp)

        async def samples() -> AsyncGenerator[Sample]:
            numbers = zip(drawn.indices, drawn.bits_per_dim, drawn.latent_norms, drawn.colors, strict=True)
            finished = self._tools.steps.finish(fitted.pixels, drawn, options)
            size = len(drawn.indices), fitted.width * fitted.height
            async with aclosing(lane.finish(finished, to_file, timer.seconds, turn, *size)) as files:
                async for data, hints in files:
                    index, bits_per_dim, latent_norm, colors = next(numbers)
                    coloring = schemas.Coloring(
                        index=index,
                        b64_json="",
                        media_type=FORMATS[output.format].media_type,
                        bits_per_dim=bits_per_dim,
                        latent_norm=latent_norm,
                        hints=[_report(match) for match in hints] or None,
                        at=[_hex(color) for color in colors] or None,
                    )
                    yield Sample(data, coloring)
            self.place.give_back("pixels")  # its photo is gone
            self._tools.metrics.samples.inc(len(drawn.indices))
            self._report("colorized", endpoint, photo, timer.seconds, samples=len(drawn.indices))

        facts = schemas.ColorizationFacts(
            id=f"{endpoint.name}-{uuid.uuid4().hex}",
            created=int(time.time()),
            model=model.name,
            model_sha256=model.sha256,
            seed=options.seed,
            noise_seed=options.noise_seed if isinstance(options, VariationOptions) else None,
            temperature=drawn.temperature,
            width=fitted.width,
            height=fitted.height,
        )
        return Colorization(facts, drawn, output.format, samples(), timer.seconds)

    async def score(self, endpoint: Endpoint[Any], uploads: Mapping[str, bytes]) -> schemas.LikelihoodResponse:
        """Score a photo's own colors. Raises the errors of `decode`, QueueFullError and ModelError."""
        timer = _Timer()
        with self._tools.network.coming():
            photo, _ = await self._decode(uploads)
            timer.stop("decode")
            self.place.claim(latents=1)
            small = await self._shrink(photo, with_chroma=True)
        found = await self._tools.network.score(small, self.place.owner)
        timer.stop("queue", but=found.timings)
        self._report("scored", endpoint, photo, timer.seconds)
        return schemas.LikelihoodResponse(
            id=f"{endpoint.name}-{uuid.uuid4().hex}",
            created=int(time.time()),
            model=self._tools.steps.info.name,
            model_sha256=self._tools.steps.info.sha256,
            width=photo.width,
            height=photo.height,
            bits_per_dim=found.bits_per_dim,
            levels=[schemas.LevelBits(**asdict(level)) for level in found.levels],
            timings=schemas.LikelihoodTimings(**timer.seconds),
        )

    async def check(self, upload: bytes) -> None:
        """Colorize a photo through all steps, and discard the result. Raises any error."""
        photo, _ = await self._decode({"image": upload})
        lane = self._tools.lanes.of(photo.width * photo.height)
        options = SampleOptions(n=1, seed=0)
        small = await self._shrink(photo)
        drawn = await self._tools.network.draw(DrawTask(small, options), options.latents, CHECK)
        finished = self._tools.steps.finish(photo.pixels, drawn, options)

        def to_file(rgb: NDArray[np.uint8], _: int) -> bytes:
            return encode(rgb, photo.alpha, "jpeg", CHECK_QUALITY)

        async for _ in lane.finish(finished, to_file, {}, Turn(lane.turns, CHECK, 0), 1, photo.width * photo.height):
            pass

    async def run(self, work: Callable[..., T], *arguments: object) -> T:
        """Run a function of bytes or pixels off the event loop."""
        return await self._tools.lanes.small.run(work, *arguments)

    async def _decode(self, uploads: Mapping[str, bytes]) -> tuple[DecodedPhoto, DecodedPhoto | None]:
        """Decode the photo and the reference, if any, in parallel."""
        self.is_uploaded = True
        work = [asyncio.ensure_future(self._decode_one(name, upload)) for name, upload in uploads.items()]
        try:
            photos = dict(zip(uploads, await asyncio.gather(*work), strict=True))
        except BaseException:
            for each in work:
                each.cancel()
            # the request keeps its place until both have ended
            await _ends(asyncio.gather(*work, return_exceptions=True), GRACE_SECONDS + DEATH_SECONDS)
            raise
        return photos["image"], photos.get("reference")

    async def _decode_one(self, name: str, upload: bytes) -> DecodedPhoto:
        """Decode a file, and claim its pixels at once, even while it waits for another.

        If cancelled, kill its decoder, unless it is about to finish.
        """
        tools = self._tools

        async def decode(attempt: Try) -> DecodedPhoto:
            ticket, quick, brief = Ticket(), attempt is not Try.WHOLE, attempt is Try.BRIEF
            asked = (upload, tools.settings.max_pixels, name, ticket, quick, brief)
            decoding = run_on(tools.decoding, tools.decoders.decode, *asked)
            decoding.add_done_callback(lambda each: each.cancelled() or each.exception())  # there may be no waiter
            try:
                return await asyncio.shield(decoding)
            except asyncio.CancelledError:
                if quick:
                    is_over = await _ends(decoding, GRACE_SECONDS) and not decoding.cancelled()
                    was_slow = is_over and isinstance(decoding.exception(), SlowFileError)
                    if not brief and (was_slow or ticket.cancel() > ORDINARY_SECONDS):
                        tools.quick_first.mark(self.place.owner)
                raise
            finally:
                ticket.cancel()
                if not await _ends(decoding, DEATH_SECONDS):  # the request holds its place until its decoder has ended
                    log.warning("decoder_not_ended", seconds=DEATH_SECONDS)

        photo = await tools.quick_first.run(decode, self.place.owner)
        self.place.claim(pixels=photo.width * photo.height)
        return photo

    def _claim_answer(self, photo: DecodedPhoto, samples: int, output_format: OutputFormat) -> int:
        """Return the pixels of all samples together; claim the bytes of the answer's unread part.

        Does not claim the pixels: samples are sent as they are made. Raises OutputSizeError and QueueFullError.
        """
        check_output_size(photo.width, photo.height, output_format)
        pixels, limit = samples * photo.width * photo.height, self._tools.settings.max_output_pixels
        if pixels > limit:
            raise OutputSizeError(f"{samples} colorings of {photo.width}×{photo.height} are more than {limit} pixels")
        self.place.claim(bytes=min(MAX_UNREAD_BYTES, FILE_BYTES * pixels))
        return pixels

    async def _shrink(self, photo: DecodedPhoto, with_chroma: bool = False) -> SmallPhoto:
        lane = self._tools.lanes.of(photo.width * photo.height)
        return await lane.run(self._tools.steps.shrink, photo.pixels, with_chroma)

    def _report(
        self, event: str, endpoint: Endpoint[Any], photo: DecodedPhoto, timings: dict[str, float], **facts: int
    ) -> None:
        """Report a finished request to log, metrics and trace."""
        pixels = photo.width * photo.height
        self._tools.metrics.pixels.inc(pixels)
        for stage, seconds in timings.items():
            self._tools.metrics.stage_seconds.labels(stage).observe(seconds)
        record_stages(timings)
        rounded = {stage: round(seconds, 4) for stage, seconds in timings.items()}
        log.info(event, kind=endpoint.name, pixels=pixels, **facts, **rounded)


class _Timer:
    """Seconds of each step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def stop(self, step: str, but: Mapping[str, float] | None = None) -> None:
        """End a step; `but`: seconds of its parts that are listed under their own names."""
        now, parts = time.perf_counter(), but or {}
        self.seconds |= {step: max(now - self._last - sum(parts.values()), 0.0), **parts}
        self._last = now


def _report(match: HintMatch) -> schemas.HintReport:
    return schemas.HintReport(color=_hex(match.color), delta_e=match.delta_e, delta_chroma=match.delta_chroma)


def _hex(color: Color) -> str:
    return f"#{bytes(color).hex()}"


async def _ends(work: asyncio.Future[Any], seconds: float) -> bool:
    """Return whether work ends within some seconds, even if the caller is cancelled meanwhile.

    Such cancellations are lost, so the caller must raise an error afterwards.
    """
    end = time.monotonic() + seconds
    while not work.done() and time.monotonic() < end:
        with suppress(asyncio.CancelledError):
            await asyncio.wait([work], timeout=end - time.monotonic())
    return work.done()
