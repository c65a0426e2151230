"""Access control: API keys, rate limits, CORS. OPEN_PATHS alone need no key."""

import math
import time
from urllib.parse import urlsplit

import structlog
from fastapi import FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.security import HTTPBearer
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from service.edge.keys import Key, KeyFileError, KeyRing, parse_limits
from service.errors import ForeignOriginError, InvalidKeyError, MissingKeyError, RateLimitedError
from service.settings import Settings

__all__ = ["METRICS_PATH", "OPEN_PATHS", "Access", "allow_origins"]

OPEN_PATHS = {
    "/",
    "/page/{name:path}",
    "/docs",
    "/docs/oauth2-redirect",
    "/redoc",
    "/openapi.json",
    "/livez",
    "/readyz",
    "/v2",
    "/v2/health/live",
    "/v2/health/ready",
    "/v2/models/colorization",
    "/v2/models/colorization/ready",
}
"""routes that need no key: they reveal nothing about photos, and cost nothing"""
METRICS_PATH = "/metrics"
"""needs a key only if the settings say so"""

BEARER = HTTPBearer(auto_error=False)
CHANGING = {"POST", "PUT", "PATCH", "DELETE"}
OWN_SITES = {"same-origin", "none"}
DEFAULT_PORTS = {"http": 80, "https": 443}
ONE_DAY = 86_400  # seconds
CLOCK_STEP_SECONDS = 1.0
"""A clock that was set by more than this is not the one that counted."""

log = structlog.get_logger()


class Access:
    """Admits requests with a key of the file, within the key's rate limits.

    A limit counts a moving window: a fixed one would admit twice as many around its boundary.
    """

    def __init__(self, settings: Settings) -> None:
        """Read the file of keys, if the settings name one. Raises KeyFileError."""
        self._ring = KeyRing(settings.api_keys_file) if settings.api_keys_file else None
        self._open_paths = frozenset(OPEN_PATHS if settings.metrics_need_key else OPEN_PATHS | {METRICS_PATH})
        self._limits = parse_limits(settings.rate_limit)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._clock_offset = _clock_offset()
        self._origins = frozenset(settings.cors_origins)

    @property
    def open_paths(self) -> frozenset[str] | None:
        """The routes that need no key; None if no route needs one."""
        return self._open_paths if self._ring else None

    async def check(self, request: Request) -> None:
        """Check a request before its body is read.

        Raises ForeignOriginError, MissingKeyError, InvalidKeyError, RateLimitedError.
        """
        self._check_origin(request)
        if self._ring is None or request.scope["route"].path in self._open_paths:
            return
        self._reload(self._ring)
        credentials = await BEARER(request)
        if credentials is None:
            raise MissingKeyError("Authorization: expected `Bearer` and an API key")
        key = self._ring.find(credentials.credentials.strip())
        if key is None:
            raise InvalidKeyError("Authorization: no such API key")
        request.state.key = key.name  # for the log
        self._count(key)

    def _check_origin(self, request: Request) -> None:
        """Refuse requests from pages of other origins, which could not read the answer anyway."""
        origin = request.headers.get("origin")
        if origin is None or request.method not in CHANGING or not self._origins.isdisjoint((origin, "*")):
            return
        site = request.headers.get("sec-fetch-site")  # set by the browser; no proxy changes it
        own = site in OWN_SITES if site else _is_at(origin, request.headers.get("host", ""))
        if not own:
            raise ForeignOriginError(
                "Origin: this origin is not allowed; the operator can add it to TINTFLOW_CORS_ORIGINS"
            )

    def _reload(self, ring: KeyRing) -> None:
        try:
            if ring.reload():
                log.info("api_keys_reloaded")
        except KeyFileError as error:
            log.error("api_keys_revoked", reason=str(error))

    def _count(self, key: Key) -> None:
        self._mind_the_clock()
        limits = key.limits or self._limits
        full = [limit for limit in limits if not self._limiter.test(limit, key.name)]
        if full:
            free = max(self._limiter.get_window_stats(limit, key.name).reset_time for limit in full)
            seconds = max(math.ceil(free - time.time()), 1)
            raise RateLimitedError(f"{key.name} may make no more than {' and '.join(map(str, full))}", seconds)
        for limit in limits:
            self._limiter.hit(limit, key.name)

    def _mind_the_clock(self) -> None:
        """Reset all counts if the clock was set: after a step back, `limits` would refuse until it catches up."""
        before, self._clock_offset = self._clock_offset, _clock_offset()
        if abs(self._clock_offset - before) > CLOCK_STEP_SECONDS:
            self._limiter.storage.reset()


def _is_at(origin: str, host: str) -> bool:
    """Say whether an origin, such as `https://example.org`, matches a host, such as `example.org:443`."""
    try:
        ours, theirs = urlsplit(f"//{host}"), urlsplit(origin)
        default = DEFAULT_PORTS.get(theirs.scheme)
        return ours.hostname == theirs.hostname is not None and (ours.port or default) == (theirs.port or default)
    except ValueError:  # not a URL
        return False


def _clock_offset() -> float:
    return time.time() - time.monotonic()


def allow_origins(app: FastAPI, settings: Settings) -> None:
    """Allow pages of the origins in the settings to use the interface; by default, of none."""
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["*"],  # OpenAI's client and tracing add their own
            expose_headers=["*"],
            max_age=ONE_DAY,
        )
