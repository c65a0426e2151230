"""Threads of the service share a few pools of memory."""

import platform
import subprocess
import sys

import pytest

from service.memory import ARENAS

CODE = """
import ctypes, sys, threading, zlib
from service.memory import share_arenas

if sys.argv[1] == "shared":
    share_arenas()
all_there = threading.Barrier(8)

def work():
    all_there.wait()
    zlib.compressobj().compress(bytes(100_000))
    all_there.wait()

threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
file = ctypes.c_void_p(libc.fopen(sys.argv[2].encode(), b"w"))
libc.malloc_info(0, file)
libc.fclose(file)
print(open(sys.argv[2]).read().count("<heap nr="))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="such pools are glibc's")
@pytest.mark.parametrize("how", ["shared", "not shared"])
def test_pools(tmp_path, how: str) -> None:
    command = [sys.executable, "-c", CODE, how, str(tmp_path / "info")]
    pools = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)  # noqa: S603
    assert pools <= ARENAS if how == "shared" else pools > ARENAS
