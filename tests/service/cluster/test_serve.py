"""The model's deployment, and its proxy object in other processes; in Ray's local mode, without a cluster."""

import pickle
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import AsyncMock

import pytest
from fastapi.testclient import TestClient
from ray import serve
from ray.exceptions import ActorDiedError, ActorUnavailableError, ObjectLostError, RayTaskError
from ray.serve.exceptions import BackPressureError

from model.errors import InputError, ModelError, NonFiniteError, OutOfMemoryError
from service.app import create_app
from service.cluster import serve as cluster
from service.errors import QueueFullError, ReplicaLostError
from service.loading import load_colorizer
from service.settings import Settings
from tests.service.waiting import eventually


def test_answers_are_those_of_one_process(tiny_file: Path, grey_png: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINTFLOW_WEIGHTS", str(tiny_file))
    monkeypatch.setattr("service.telemetry.logs.configure", lambda log_format: None)
    settings = Settings()
    model = serve.run(cluster.Model.bind(), _local_testing_mode=True)  # type: ignore[attr-defined]
    remote = create_app(settings, partial(cluster.RemoteSteps, model), cluster.Replicas(model))
    answers = []
    for app in (remote, create_app(settings, load_colorizer)):
        with TestClient(app) as client:
            eventually(lambda: client.get("/readyz").status_code == 200)
            form = {"n": "3", "seed": "7", "output_format": "png"}
            colored = client.post("/v1/colorizations", files={"image": grey_png}, data=form).json()["data"]
            scored = client.post("/v1/likelihoods", files={"image": grey_png}).json()
            answers.append((colored, scored["bits_per_dim"], client.get("/v1/models").json()))
            assert "tintflow_ready 1.0" in client.get("/metrics").text
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (BackPressureError(2, 2), QueueFullError),
        (ActorDiedError(), ReplicaLostError),
        (ActorUnavailableError("gone", None), ReplicaLostError),
        (ObjectLostError("00", None, ""), ReplicaLostError),
        (RayTaskError("draw_all", "", NonFiniteError("nan")), NonFiniteError),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
async def test_what_a_call_meets_is_told_in_the_services_words(error: Exception, raised: type[Exception]) -> None:
    replicas = cluster.Replicas(SimpleNamespace(draw=SimpleNamespace(remote=AsyncMock(side_effect=error))))
    with pytest.raises(raised):
        await replicas.draw(None, 1, "")
    assert replicas.depth == 0
    replicas.close()


@pytest.mark.parametrize(
    "error", [InputError("hints", "up to 32", 33), NonFiniteError("nan"), OutOfMemoryError("full")]
)
def test_errors_of_the_model_travel(error: ModelError) -> None:
    there = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (type(there), str(there), vars(there)) == (type(error), str(error), vars(error))
