"""The same model behind mosec, in three processes: `python -m benchmarks.peers.mosec_server PORT`."""

import sys
from io import BytesIO
from typing import Any

from mosec import Server, Worker
from python_multipart.multipart import Field, File, parse_form

from benchmarks.peers.work import BATCH_REQUESTS, BATCH_WAIT_SECONDS, Job, Work
from model.protocol import Drawn


class Step(Worker):  # type: ignore[misc] # mosec has no types where it isn't installed
    """A process with a model of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.work = Work()


class Read(Step):
    """Parses and decodes."""

    def deserialize(self, data: bytes) -> tuple[bytes, int]:
        """Parse a form; mosec shows no headers, so its boundary is taken from its first line."""
        boundary = data[2 : data.index(b"\r\n")]
        found: dict[str, bytes] = {}

        def on_field(field: Field) -> None:
            found["n"] = field.value or b""

        def on_file(file: File) -> None:
            file.file_object.seek(0)
            found["image"] = file.file_object.read()

        headers = {
            "Content-Type": b"multipart/form-data; boundary=" + boundary,
            "Content-Length": str(len(data)).encode(),
        }
        parse_form(headers, BytesIO(data), on_field, on_file)
        return found["image"], int(found["n"])

    def forward(self, data: tuple[bytes, int]) -> Job:
        return self.work.read(*data)


class Draw(Step):
    """Draws for a batch."""

    def forward(self, data: list[Job]) -> list[tuple[Job, Drawn]]:
        return list(zip(data, self.work.draw(data), strict=True))


class Write(Step):
    """Brings samples to full size and encodes them."""

    def forward(self, data: tuple[Job, Drawn]) -> dict[str, Any]:
        return self.work.write(*data)


if __name__ == "__main__":
    sys.argv[1:] = ["--port", sys.argv[1], "--timeout", "120000", "--log-level", "error"]  # mosec reads them
    server = Server()
    wait, route = round(1000 * BATCH_WAIT_SECONDS), "/colorize"
    server.append_worker(Read, timeout=120, route=route)
    server.append_worker(Draw, timeout=120, route=route, max_batch_size=BATCH_REQUESTS, max_wait_time=wait)
    server.append_worker(Write, timeout=120, route=route)
    server.run()
