"""The same model behind LitServe: `python -m benchmarks.peers.litserve_server PORT`."""

import sys
from typing import Any

import litserve
from starlette.requests import Request

from benchmarks.peers.work import BATCH_REQUESTS, BATCH_WAIT_SECONDS, Job, Work
from model.protocol import Drawn


class Colorizations(litserve.LitAPI):  # type: ignore[misc] # LitServe has no types where it isn't installed
    """Reads, draws for a batch, and writes, in LitServe's own worker process."""

    def setup(self, device: str) -> None:
        self.work = Work()

    def decode_request(self, request: Request) -> Job:
        form: Any = request  # already parsed by LitServe
        return self.work.read(form["image"].file.read(), int(form["n"]))

    def predict(self, jobs: list[Job]) -> list[tuple[Job, Drawn]]:
        return list(zip(jobs, self.work.draw(jobs), strict=True))

    def encode_response(self, output: tuple[Job, Drawn]) -> dict[str, Any]:
        return self.work.write(*output)


if __name__ == "__main__":
    api = Colorizations(max_batch_size=BATCH_REQUESTS, batch_timeout=BATCH_WAIT_SECONDS, api_path="/colorize")
    server = litserve.LitServer(api, accelerator="cpu", timeout=False)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False, log_level="warning")
