"""Compiled graphs come back from disk unchanged, and no fault on disk prevents a start."""

import errno
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import openvino
import pytest

from model.drawing.runtimes import graph_cache, graphs
from model.drawing.runtimes.graph_cache import GraphCache
from model.drawing.runtimes.openvino_runtime import NUMBERS, OpenvinoRuntime
from model.drawing.runtimes.runtime import Floats, Given
from model.flow.checkpoint import Checkpoint

WRITER = """
import sys
from pathlib import Path
from model.drawing.runtimes.graph_cache import GraphCache
cache, mine = GraphCache(Path(sys.argv[1]), "weights"), sys.argv[2].encode() * 200_000
for _ in range(30):
    cache.store("graph", mine)
    found = cache.load("graph")
    assert found is not None and len(set(found.tolist())) == 1 and len(found) == 200_000, "half a file"
"""


def computed(checkpoint: Checkpoint, folder: Path) -> list[Floats]:
    """Compute a photo's condition and draws with a new runtime."""
    runtime = OpenvinoRuntime(checkpoint, cache=GraphCache(folder, "weights"))
    draws = np.random.default_rng(1)
    condition = runtime.condition(100 * draws.random((1, 1, 256, 256), np.float32))
    z, between = draws.standard_normal((2, 128), np.float32), np.full(2, 0.9, np.float32)
    given = Given(np.full((2, 2, 8, 8), np.nan, np.float32), np.zeros(2, np.float32))
    drawn = runtime.draw_coarsest(condition, np.zeros(2, np.int64), z, between, given)
    return [*condition.cells, *condition.maps, drawn]


def loaded(cache: GraphCache) -> bytes | None:
    found = cache.load("graph")
    return None if found is None else found.tobytes()


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def first(tiny_checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Floats]]:
    """A folder of graphs, and the results computed when they were compiled."""
    folder = tmp_path_factory.mktemp("compiled")
    found = computed(tiny_checkpoint, folder)
    assert len(files(folder)) == 4  # numbers, condition, and steps of both decoders
    return folder, found


@pytest.fixture
def compiled(first: tuple[Path, list[Floats]], tmp_path: Path) -> list[Floats]:
    """Results of the first computation; tmp_path has its graphs."""
    folder, found = first
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    return found


def test_a_second_process_compiles_nothing_and_computes_the_same_bits(
    compiled: list[Floats], tiny_checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("condition_graph", "step_graph"):
        monkeypatch.setattr(graphs, name, None)  # whatever builds one fails
    np.testing.assert_equal(computed(tiny_checkpoint, tmp_path), compiled)


@pytest.mark.parametrize(("draws", "count"), [(2, 2), (8, 1)])
def test_graphs_of_the_first_photo_are_loaded_before_they_are_asked_for(
    compiled: list[Floats], tiny_checkpoint: Checkpoint, tmp_path: Path, draws: int, count: int
) -> None:
    runtime = OpenvinoRuntime(tiny_checkpoint, cache=GraphCache(tmp_path, "weights"))
    runtime.prepare(photos=1, draws=draws, samples=2)
    for thread in threading.enumerate():
        if thread.name == "graphs":
            thread.join(60)
    assert sorted(runtime._models) == [path.name for path in files(tmp_path) if path.name != NUMBERS][:count]


def test_graphs_that_the_first_photo_does_not_need_are_compiled_before_they_are_asked_for(
    tiny_checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = OpenvinoRuntime(tiny_checkpoint, cache=GraphCache(tmp_path, "weights"))
    for _ in runtime.prepare_rest(draws=8, most_draws=16, samples=2):
        pass
    assert any(path.name.startswith("encode-2-") for path in files(tmp_path))
    built = len(runtime._models)
    for name in ("encode_graph", "step_graph"):
        monkeypatch.setattr(graphs, name, None)  # whatever builds one fails
    runtime._graph("encode", 2)
    stepper = runtime._new_stepper(16)
    assert stepper.level is not stepper.distilled
    assert len(runtime._models) == built


def cut(path: Path) -> None:
    """Cut off half of the numbers and of the condition's graph; empty the steps' graphs."""
    os.truncate(path, 0 if path.name.startswith("step-") else path.stat().st_size // 2)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def block(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGE: dict[str, Callable[[Path], object]] = {
    "cut": cut,
    "one bit": flip,
    "no graph": lambda path: GraphCache(path.parents[1], "weights").store(path.name, b"whole, but no graph"),
    "a folder": block,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_graph_is_compiled_anew(
    compiled: list[Floats], tiny_checkpoint: Checkpoint, tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    before = files(tmp_path)
    for path in before:
        damage(path)
    np.testing.assert_equal(computed(tiny_checkpoint, tmp_path), compiled)
    if damage is not block:
        assert files(tmp_path) == before
        mended = [GraphCache(tmp_path, "weights").load(path.name) for path in before]
        assert all(blob is not None and len(blob) > 100 for blob in mended)


def test_a_folder_that_cannot_be_written_only_costs_time_and_one_warning(
    tiny_checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    computed(tiny_checkpoint, tmp_path / "file" / "cache")
    (warning,) = caplog.messages
    assert warning.startswith(f"{tmp_path / 'file' / 'cache'}: cannot keep compiled networks")

    monkeypatch.setattr(graph_cache.tempfile, "mkstemp", Mock(side_effect=OSError(errno.EROFS, "Read-only")))
    GraphCache(tmp_path / "other", "weights").store("graph", b"blob")
    assert files(tmp_path) == [tmp_path / "file"]


def test_a_full_disk_leaves_no_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "replace", Mock(side_effect=OSError(errno.ENOSPC, "No space left on device")))
    cache = GraphCache(tmp_path, "weights")
    cache.store("graph", b"blob")
    assert cache.load("graph") is None
    assert files(tmp_path) == []


def test_graphs_of_other_weights_versions_and_processors_are_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    GraphCache(tmp_path, "weights").store("graph", b"blob")
    assert loaded(GraphCache(tmp_path, "weights")) == b"blob"
    assert GraphCache(tmp_path, "others").load("graph") is None
    for name, value in (("version", lambda _: "2027.0"), ("processor", lambda: "another"), ("_sources", lambda: "new")):
        with monkeypatch.context() as patch:
            patch.setattr(graph_cache, name, value)
            assert GraphCache(tmp_path, "weights").load("graph") is None


def test_only_what_nobody_used_for_long_is_deleted(tmp_path: Path) -> None:
    old, recent, foreign = tmp_path / ("0" * 32), tmp_path / ("1" * 32), tmp_path / "foreign"
    for folder, days in ((old, 31), (recent, 29), (foreign, 1000)):
        folder.mkdir()
        (folder / "graph").write_bytes(b"blob")
        os.utime(folder, (time.time() - 86_400 * days,) * 2)
    GraphCache(tmp_path, "weights").store("graph", b"blob")
    assert not old.exists()
    assert recent.exists()
    assert foreign.exists()


def test_what_a_killed_process_left_half_written_is_deleted(tmp_path: Path) -> None:
    cache = GraphCache(tmp_path, "weights")
    cache.store("graph", b"blob")
    (folder,) = tmp_path.iterdir()
    old, recent, foreign = folder / ".graph-old", folder / ".graph-recent", tmp_path / "mine" / ".hidden"
    foreign.parent.mkdir()
    for part in (old, recent, foreign):
        part.write_bytes(b"bl")
    for path in (old, foreign, folder / "graph"):
        os.utime(path, (time.time() - 3700,) * 2)
    GraphCache(tmp_path, "others")
    assert not old.exists()
    assert all(path.exists() for path in (recent, foreign, folder / "graph"))
    assert loaded(cache) == b"blob"


def test_use_keeps_graphs(tmp_path: Path) -> None:
    cache = GraphCache(tmp_path, "weights")
    cache.store("graph", b"blob")
    (folder,) = tmp_path.iterdir()
    os.utime(folder, (0, 0))
    assert loaded(cache) == b"blob"
    GraphCache(tmp_path, "others").store("graph", b"blob")
    assert loaded(cache) == b"blob"


def test_processes_that_write_at_once_leave_whole_files(tmp_path: Path) -> None:
    command = (sys.executable, "-c", WRITER, str(tmp_path))
    writers = [subprocess.Popen((*command, letter), stderr=subprocess.PIPE) for letter in "ab"]  # noqa: S603 - this Python
    for writer in writers:
        assert writer.wait(120) == 0, writer.stderr.read().decode()  # type: ignore[union-attr]
        writer.stderr.close()  # type: ignore[union-attr]
    assert len(files(tmp_path)) == 1


def test_the_processor_is_told_by_more_than_its_kind() -> None:
    assert len(graph_cache.processor()) > len("x86_64\n"), openvino.get_version()
