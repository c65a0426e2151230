"""Generator of the files that derive from the options: `python -m service.api.generate`.

It writes the client's typed fields, the page's numbers and the tables of docs/api.md, and says which files changed.
"""

import json
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from model.options import MAX_CANDIDATES, MAX_HINTS, MAX_SEED, RANDOM, TRANSFER_WEIGHTS, Point
from service.api.endpoints import COLOR_ENDPOINTS, COLORIZATIONS, INTERPOLATIONS, VARIATIONS, ColorEndpoint
from service.api.formats import OutputFormat
from service.api.parameters import Parameters, bounds_of, option_of, parts_of

__all__ = ["generated"]

ROOT = Path(__file__).resolve().parents[2]
CLIENT_FIELDS, API_PAGE = ROOT / "service/client/fields.py", ROOT / "docs/api.md"
PAGE_OPTIONS = ROOT / "service/page/options.js"
FILE_MEANINGS = {"image": "the photo to colorize", "reference": "the color photo to take colors from"}
WIDTH, INDENT = 118, " " * 4
ANSWER_FORM = "response_format"  # the client sets it

HEAD = '''"""Typed fields of each call. Made from model/options.py by `python -m service.api.generate`: do not edit."""

from collections.abc import Sequence
from typing import Literal, Required, TypedDict

from service.api.formats import OutputFormat
from service.client.photos import PhotoSource

__all__ = ["ColorizationFields", "Hint", "InterpolationFields", "Point", "TransferFields", "VariationFields"]


class Point(TypedDict):
    """A point of the photo."""

    x: float
    """0 = left, 1 = right"""
    y: float
    """0 = top, 1 = bottom"""


class Hint(Point):
    """A color wished for at a point of the photo."""

    color: str
    """`#rrggbb`"""
'''

PAGE_HEAD = (
    "/** Limits and defaults of the service's options. Made from model/options.py by `python -m service.api.generate`: "
    "do not edit. */\n\n"
)


def generated() -> dict[Path, str]:
    return {
        CLIENT_FIELDS: _client_fields(),
        PAGE_OPTIONS: _page_options(),
        API_PAGE: _api_page(API_PAGE.read_text("utf-8")),
    }


def _page_options() -> str:
    numbers = {
        "MAX_SEED": MAX_SEED,
        "MAX_INDEX": MAX_CANDIDATES - 1,
        "MAX_HINTS": MAX_HINTS,
        "SPREAD": COLORIZATIONS.parameters.model_fields["hint_spread"].default,
        "COUNT": COLORIZATIONS.parameters.model_fields["n"].default,
        "STRENGTH": VARIATIONS.parameters.model_fields["strength"].default,
        "STEPS": INTERPOLATIONS.parameters.model_fields["steps"].default,
        "CLOSENESS": TRANSFER_WEIGHTS[8],
    }
    return PAGE_HEAD + "".join(f"export const {name} = {value};\n" for name, value in numbers.items())


def _client_fields() -> str:
    found = [(endpoint, _fields_of(endpoint)) for endpoint in COLOR_ENDPOINTS]
    shared = [line for line in found[0][1] if all(line in lines for _, lines in found)]
    classes = [_class("SharedFields", "TypedDict", "Fields of every call that makes colorings.", shared)]
    for endpoint, lines in found:
        own = [line for line in lines if line not in shared]
        name = f"{endpoint.name.capitalize()}Fields"
        classes.append(_class(name, "SharedFields", str(endpoint.options.__doc__), own))
    return HEAD + "".join(classes)


def _class(name: str, base: str, meaning: str, lines: Iterable[str]) -> str:
    return "\n".join([f"\n\nclass {name}({base}, total=False):", f'    """{meaning}"""', "", *lines]) + "\n"


def _fields_of(endpoint: ColorEndpoint) -> list[str]:
    """Return each field of a call as source, with its meaning."""
    hints = get_type_hints(endpoint.options, include_extras=True)
    required = {name for name, field in endpoint.parameters.model_fields.items() if field.is_required()}
    lines = []
    for name in (each.name for each in fields(endpoint.options)):
        written = _written(hints[name])
        if option_of(hints[name]).default == RANDOM:
            written += " | None"
        kind = f"Required[{written}]" if name in required else written
        lines.append(f"    {name}: {kind}\n{_quoted(option_of(hints[name]).meaning)}")
    lines += [f"    {name}: PhotoSource | None" for name in endpoint.optional_files]
    for name, field in Parameters.model_fields.items():
        if name != ANSWER_FORM:
            answer: Any = field.annotation
            written = "OutputFormat" if answer == OutputFormat else _written(answer)
            lines.append(f"    {name}: {written}\n{_quoted(str(field.description))}")
    return lines


def _quoted(text: str) -> str:
    """Return a text as the docstring of a field."""
    return textwrap.fill(f'"""{text}"""', WIDTH, initial_indent=INDENT, subsequent_indent=INDENT)


def _written(hint: Any) -> str:
    if get_origin(hint) is Annotated:
        base = get_args(hint)[0]
        words = next((each.words for each in get_args(hint)[1:] if getattr(each, "words", None)), None)
        written = _written(base)
        return f"{written.removesuffix(' | None')} | Literal[{_listed(words)}] | None" if words else written
    if hint is NoneType:
        return "None"
    if get_origin(hint) is Literal:
        return f"Literal[{_listed(get_args(hint))}]"
    if get_origin(hint) is tuple:
        (part, _) = get_args(hint)
        return f"Sequence[{_written(part)}]"
    if isinstance(hint, type):
        return hint.__name__
    return " | ".join(_written(part) for part in get_args(hint))


def _listed(values: Any) -> str:
    return ", ".join(json.dumps(each) for each in values)


def _api_page(page: str) -> str:
    for endpoint in COLOR_ENDPOINTS:
        begin, end = f"<!-- fields of {endpoint.name}s -->", "<!-- end of fields -->"
        table = "\n".join(_rows(endpoint))
        before, found, rest = page.partition(begin)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            raise ValueError(f"{API_PAGE}: expected {begin} and {end}")
        page = f"{before}{begin}\n{table}\n{end}{after}"
    return page


def _rows(endpoint: ColorEndpoint) -> Iterator[str]:
    yield "| field | values | default | meaning |"
    yield "|---|---|---|---|"
    for name in endpoint.files:
        needed = "required" if name in endpoint.required_files else "none"
        yield f"| `{name}` | a file | {needed} | {FILE_MEANINGS[name]} |"
    hints = get_type_hints(endpoint.options, include_extras=True)
    names = [each.name for each in fields(endpoint.options)]
    for name in (*names, *Parameters.model_fields):
        field = endpoint.parameters.model_fields[name]
        default = field.default
        if field.is_required():
            shown = "required"
        elif field.default_factory:
            shown = "random"
        else:
            shown = "none" if default in (None, ()) else f"`{default}`"
        values = _values(hints[name] if name in hints else Annotated[field.annotation, *field.metadata, None])
        meaning = (field.description or "").replace("|", "\\|")
        yield f"| `{name}` | {values} | {shown} | {meaning} |"


def _values(hint: Any) -> str:
    parts, (low, high, longest) = [*parts_of(hint)], bounds_of(hint)
    if longest and any(isinstance(part, type) and issubclass(part, Point) for part in parts):
        return f"up to {longest} points"
    if choices := next((get_args(part) for part in parts if get_origin(part) is Literal), None):
        return ", ".join(f"`{each}`" for each in choices)
    of = f"{longest} numbers of " if longest else ""
    return f"{of}from {low}" if high is None else f"{of}{low} … {high}"


def main() -> None:
    for path, text in generated().items():
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            print(path.relative_to(ROOT))  # noqa: T201


if __name__ == "__main__":
    main()
