"""Schemathesis sends requests that the service's OpenAPI document allows, and requests that it does not."""

import base64
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from requests import Session
from schemathesis import Case, HookContext
from schemathesis.checks import CHECKS, load_all_checks

from service.api.endpoints import PIXEL
from service.app import create_app
from service.settings import Settings

EXAMPLES = 10
SECONDS = 60  # on a busy machine
load_all_checks()
NOT_MEANT = CHECKS.get_by_names(
    [
        "positive_data_acceptance",  # a schema cannot say that a text is a photo in base64
        "negative_data_rejection",  # forms hold only text, so `"1"` and `true` are valid here
    ]
)

schema = schemathesis.openapi.from_dict(create_app(Settings(), lambda _: None).openapi())


@schema.hook
def map_body(context: HookContext, body: Any) -> Any:
    """Put a photo into every other request, so that it passes further checks."""
    image = body.get("image") if isinstance(body, dict) else None
    if isinstance(image, str) and len(image) % 2:
        return body | {"image": PIXEL}
    if isinstance(image, bytes) and len(image) % 2:
        return body | {"image": base64.b64decode(PIXEL.partition(",")[2])}
    return body


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    """Connections that stay open from one request to the next."""
    with Session() as session:
        session.trust_env = False
        yield session


@schema.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_answers_are_those_described(service, session: Session, case: Case) -> None:
    """Answers are never 5xx, and have only documented statuses, media types, headers and shapes."""
    url = str(service.client.base_url)
    case.call_and_validate(base_url=url, session=session, timeout=SECONDS, excluded_checks=NOT_MEANT)
