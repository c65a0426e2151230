"""The ASGI application, built from settings and a function that loads the model."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from fastapi_offline import FastAPIOffline

from service import __version__
from service.edge.access import Access, allow_origins
from service.edge.security_headers import SecurityHeaders
from service.edge.slow_readers import Sending
from service.engine import Engine
from service.http import problems, site
from service.http.compat import open_inference, openai_images
from service.http.openapi import describe_schemas
from service.http.request_log import Head, LastResort, RequestLog
from service.http.routes import router
from service.loading import Load
from service.network import Network
from service.settings import Settings
from service.telemetry.metrics import Metrics
from service.telemetry.tracing import telemetry

__all__ = ["create_app"]


def create_app(settings: Settings, load: Load, network: Network | None = None, warm_up: bool = True) -> FastAPI:
    """Build the application. `load` is called once, at startup, off the event loop; until then /readyz says 503.

    network: None runs the loaded model in this process. warm_up: whether to colorize once before the first request.
    """
    metrics = Metrics()
    for _, code in problems.PROBLEMS.values():
        metrics.rejected.labels(code)  # zero, so that Prometheus sees the first one, too
    engine = Engine(settings, metrics, network)
    access = Access(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        loading = asyncio.create_task(engine.load(load, warm_up))
        yield
        engine.drain()
        loading.cancel()
        engine.close()

    app = FastAPIOffline(
        title="tintflow",
        version=__version__,
        description="POST a black-and-white photo, get N different, plausible colorings at its own size.",
        lifespan=lifespan,
        generate_unique_id_function=lambda route: route.name,  # generated clients name their methods so
        dependencies=[Depends(access.check)],
        telemetry=telemetry(settings.tracing),
        redirect_slashes=False,  # a redirect would lose the body, and name the proxy's address
    )
    app.state.settings, app.state.metrics, app.state.engine = settings, metrics, engine
    app.add_middleware(Head)
    app.add_middleware(LastResort)
    allow_origins(app, settings)
    app.add_middleware(RequestLog, metrics=metrics)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(Sending, seconds=settings.answer_seconds)
    app.include_router(router)
    app.include_router(openai_images.router)
    app.include_router(open_inference.router)
    app.include_router(site.router)
    problems.install(app)
    describe_schemas(app, access.open_paths)
    return app
