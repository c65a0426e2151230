"""The installer: it passes pip's configuration to uv, and takes torch from the right source for the machine."""

import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

import install

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("configuration", "variables"),
    [
        ("", {}),
        ("global.index-url='https://a/simple'", {"UV_DEFAULT_INDEX": "https://a/simple"}),
        ("install.extra-index-url='https://a/\\nhttps://b/'", {"UV_INDEX": "https://a/ https://b/"}),
        ("global.find-links='/one\\n/two'\nglobal.timeout='9'", {"UV_FIND_LINKS": "/one,/two"}),
        (":env:.cert='/mine.pem'\nglobal.cert='/yours.pem'", {"SSL_CERT_FILE": "/mine.pem"}),
        ("global.cert='/a.pem'\ninstall.cert='/b.pem'\nfreeze.cert='/c.pem'", {"SSL_CERT_FILE": "/b.pem"}),
    ],
)
def test_uv_is_told_what_pip_is_configured_with(configuration: str, variables: dict[str, str]) -> None:
    assert install.uv_variables(configuration) == variables


def test_torch_keeps_to_the_ranges_of_all_that_is_installed() -> None:
    serving, gpu, training, everything = (
        list(install.torch_requirements(extra)) for extra in ("", "gpu", "train", "dev")
    )
    assert [len(each) for each in (serving, gpu, training)] == [1, 1, 1]
    assert serving[0].startswith(gpu[0]), "where there is no OpenVINO, the same torch"
    assert training == everything


def test_torch_comes_with_a_gpu_whatever_else_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UV_TORCH_BACKEND", raising=False)
    assert [install.wanted_extras(extra, gpu=False) for extra in ("", "ray")] == [[], ["ray"]]
    assert [install.wanted_extras(extra, gpu=True) for extra in ("", "ray")] == [["gpu"], ["ray", "gpu"]]
    monkeypatch.setenv("UV_TORCH_BACKEND", "cpu")
    assert install.wanted_extras("otel", gpu=False) == ["otel", "gpu"]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    """A machine whose uv runs a line of shell; returns the calls of uv."""
    monkeypatch.delenv("UV_TORCH_BACKEND", raising=False)
    monkeypatch.setenv("UV_FIND_LINKS", "/wheels")
    monkeypatch.setattr(install, "UV", tmp_path / "uv")
    monkeypatch.setattr(install, "PROBE_SECONDS", 1)

    def run(answer: str, gpu: bool = False) -> list[str]:
        asked = tmp_path / "asked"
        install.UV.write_text(f'#!/bin/sh\necho "$UV_FIND_LINKS $*" >> {asked}\n{answer}\n')
        install.UV.chmod(0o755)
        install.install_torch(["torch>=2"], gpu)
        return asked.read_text().splitlines()

    return run


def test_without_a_gpu_the_wheels_at_hand_come_first(machine, capsys) -> None:
    asked = machine('case "$UV_FIND_LINKS $*" in /wheels*--no-index*) exit 0;; *) exit 1;; esac')
    assert capsys.readouterr().out == "No NVIDIA GPU: torch comes from /wheels.\n"
    assert not [each for each in asked if "--torch-backend" in each]


@pytest.mark.parametrize(("gpu", "chosen", "backend"), [(False, "", "cpu"), (True, "", "auto"), (False, "cu1", "cu1")])
def test_pytorchs_index_is_asked_for_what_the_machine_runs(
    machine, monkeypatch, capsys, gpu: bool, chosen: str, backend: str
) -> None:
    monkeypatch.setenv("UV_TORCH_BACKEND", chosen)
    asked = machine('case "$*" in *--no-index*) exit 1;; esac', gpu)
    assert f"torch>=2 --torch-backend {backend}" in asked[-1]
    assert "--dry-run" not in asked[-1]
    assert "torch comes from PyTorch's own index" in capsys.readouterr().out
    assert gpu or chosen or any("/wheels" in each for each in asked)
    assert not (gpu or chosen) or sum("--no-index" in each for each in asked) == 1  # the check of installed packages


@pytest.mark.parametrize(
    "answer",
    [
        "exit 2",
        'case "$*" in *--torch-backend*) exec sleep 60;; *) exit 1;; esac',
        'case "$*" in *--dry-run*) exit 0;; *) exit 1;; esac',  # fails after a successful dry run
    ],
)
def test_where_pytorchs_index_fails_or_hangs_the_plain_one_follows_within_seconds(machine, capsys, answer) -> None:
    before = time.monotonic()
    machine(answer)
    assert time.monotonic() - before < 20
    assert "torch comes from the plain index" in capsys.readouterr().out


def test_the_real_uv_takes_a_wheel_at_hand_and_leaves_what_is_there(tmp_path: Path, monkeypatch, capsys) -> None:
    if not install.UV.exists():
        pytest.skip("no uv beside this Python: install.py puts it there")
    monkeypatch.delenv("UV_TORCH_BACKEND", raising=False)
    environment = tmp_path / "environment"
    subprocess.run([install.UV, "venv", "--quiet", "--python", sys.executable, environment], check=True)  # noqa: S603
    monkeypatch.setattr(sys, "executable", str(environment / "bin" / "python"))
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    with zipfile.ZipFile(wheels / "torch-99.0+cpu-py3-none-any.whl", "w") as wheel:
        folder = "torch-99.0+cpu.dist-info"
        wheel.writestr("torch.py", "")
        wheel.writestr(f"{folder}/METADATA", "Metadata-Version: 2.1\nName: torch\nVersion: 99.0+cpu\n")
        wheel.writestr(f"{folder}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{folder}/RECORD", f"torch.py,,\n{folder}/METADATA,,\n{folder}/WHEEL,,\n{folder}/RECORD,,\n")
    monkeypatch.setenv("UV_FIND_LINKS", str(wheels))
    monkeypatch.setenv("UV_NO_CACHE", "1")
    install.install_torch(["torch>=2.6", "torch>=2.13"], gpu=False)
    assert capsys.readouterr().out == f"No NVIDIA GPU: torch comes from {wheels}.\n"
    assert list(environment.glob("lib/python3*/site-packages/torch-99.0+cpu.dist-info"))
    shutil.rmtree(wheels)
    install.install_torch(["torch>=2.6"], gpu=False)
    assert capsys.readouterr().out == ""


def test_the_real_uv_works_where_it_can_keep_no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not install.UV.exists():
        pytest.skip("no uv beside this Python: install.py puts it there")
    monkeypatch.setenv("UV_NO_CACHE", "")
    monkeypatch.delenv("UV_NO_CACHE")  # and afterwards, it is as before
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    install.choose_cache()
    assert "UV_NO_CACHE" not in os.environ
    (tmp_path / "file").touch()  # of a file, not even root can make a folder
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "file"))
    assert not install.uv("--dry-run", "--no-index", "pip")
    install.choose_cache()
    assert install.uv("--dry-run", "--no-index", "pip")


@pytest.mark.parametrize(("set_by_user", "told"), [(None, "true"), ("false", "false")])
def test_uv_trusts_the_certificates_that_the_system_trusts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, set_by_user: str | None, told: str
) -> None:
    monkeypatch.delenv("UV_SYSTEM_CERTS", raising=False)
    if set_by_user:
        monkeypatch.setenv("UV_SYSTEM_CERTS", set_by_user)
    monkeypatch.setattr(install, "UV", tmp_path / "uv")
    install.UV.write_text(f'#!/bin/sh\n[ "$UV_SYSTEM_CERTS" = {told} ]\n')
    install.UV.chmod(0o755)
    assert install.uv("torch")


def test_a_uv_that_does_not_start_installs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "UV", tmp_path / "uv")
    assert not install.uv("torch")
    install.UV.touch(0o600)
    assert not install.uv("torch")


@pytest.mark.parametrize(
    ("extra", "pip", "reason"),
    [
        ("gpus", "exit 0", "no extra is named gpus; pyproject.toml has dev, "),
        ("", "echo 'no network' >&2; exit 1", "no network\ntintflow is not installed: "),
    ],
)
def test_what_cannot_be_installed_is_said_without_a_traceback(
    tmp_path: Path, extra: str, pip: str, reason: str
) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{pip}\n")
    python.chmod(0o755)
    program = (
        "import runpy, sys; sys.executable, *sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    command = [sys.executable, "-c", program, python, ROOT / "install.py", extra]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 1
    assert done.stderr.startswith(reason)
    assert "Traceback" not in done.stderr


def copy_for_make(folder: Path) -> None:
    """Copy the files that make needs."""
    for name in ("Makefile", "pyproject.toml", "install.py"):
        shutil.copy(ROOT / name, folder)


def put_program(folder: Path, name: str, script: str, target: str) -> None:
    """Put a program into the folder's environment, which then seems complete for a target of make."""
    program = folder / ".venv" / "bin" / name
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    (folder / ".venv" / f"for-{target}").touch()


@pytest.mark.parametrize("target", ["train", "eval"])
def test_make_takes_folders_with_spaces_and_of_the_home(tmp_path: Path, target: str) -> None:
    copy_for_make(tmp_path)
    put_program(tmp_path, "python", 'for word; do echo "[$word]"; done', target)
    for given, taken in (("my photos", "my photos"), ("~/photos", "/home/ann/photos")):
        command = ["make", target, f"DATA={given}", "HOME=/home/ann"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)  # noqa: S603
        assert f"[--data]\n[{taken}]\n" in done.stdout


def test_make_builds_with_the_certificates_that_the_system_trusts(tmp_path: Path) -> None:
    copy_for_make(tmp_path)
    put_program(tmp_path, "uv", 'echo "certificates: $UV_SYSTEM_CERTS"', "dev")
    variables = {name: value for name, value in os.environ.items() if name != "UV_SYSTEM_CERTS"}
    for given, told in (({}, "true"), ({"UV_SYSTEM_CERTS": "false"}, "false")):
        command = ["make", "dist"]
        made = subprocess.run(command, cwd=tmp_path, env=variables | given, capture_output=True, text=True, check=True)  # noqa: S603
        assert f"certificates: {told}\n" in made.stdout


def test_make_names_an_old_python_and_leaves_it_for_another(tmp_path: Path) -> None:
    copy_for_make(tmp_path)

    def make(status: int) -> subprocess.CompletedProcess[str]:
        """Run make with a Python that makes environments whose Python exits with this status."""
        python = tmp_path / f"python-{status}"
        script = (
            f"mkdir -p .venv/bin; for name in pip python; do printf '#!/bin/sh\\nexit {status}\\n' > .venv/bin/$name"
        )
        python.write_text(f"#!/bin/sh\n{script}; chmod +x .venv/bin/$name; done\n")
        python.chmod(0o755)
        command = ["make", ".venv/for-serving", f"PYTHON={python}"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S603

    old = make(1)
    assert old.returncode
    assert "needs Python 3.11 or later" in old.stderr
    assert make(0).returncode == 0
