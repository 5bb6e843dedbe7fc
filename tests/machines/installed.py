"""rotator as it is shipped, installed on Debian: the wheel of this checkout, and what its lock names."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.machines import debian

ROOT = Path(__file__).parents[2]
LOCK = ROOT / ".ci" / "requirements.txt"
PROGRAM = "/opt/rotator/bin/rotator"
_INSTALL = "/opt/rotator/bin/pip install --quiet --no-cache-dir --no-index --no-warn-script-location"


def install(upper: Path) -> list[Path]:
    """Install rotator into a layer, and return all layers of the tree below it, the first on top."""
    lower = [_with_dependencies(), debian.base()]
    with tempfile.TemporaryDirectory() as wheels:
        build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", wheels]
        subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
        _run_in(lower, upper, Path(wheels), f"{_INSTALL} --no-deps /mnt/*.whl")
    return lower


def _with_dependencies() -> Path:
    """Return a layer with a virtual environment that holds what the lock names, made once for each lock."""
    return debian.kept("rotator", [debian.base().name, LOCK.read_text(), _INSTALL], _install_dependencies)


def _install_dependencies(layer: Path) -> None:
    with tempfile.TemporaryDirectory() as wheels:
        shutil.copy(LOCK, wheels)
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "download", "--no-deps"]
        asked = ["--require-hashes", "--only-binary", ":all:", "--python-version", debian.PYTHON, "-r", LOCK]
        done = subprocess.run([*pip, *asked, "-d", wheels], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        install = f"{_INSTALL} --find-links /mnt --require-hashes -r /mnt/{LOCK.name}"
        _run_in([debian.base()], layer, Path(wheels), f"python3 -m venv /opt/rotator && {install}")


def _run_in(lower: list[Path], upper: Path, wheels: Path, script: str) -> None:
    """Run a script on the machine that the layers make, with nothing of our environment; it finds wheels in /mnt."""
    with debian.layered(*lower, upper=upper) as (command, at):
        mount = [
            "sh",
            "-ec",
            'mount --bind "$1" "$2/mnt"; exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$2" sh -ec "$3"',
            "sh",
        ]
        done = subprocess.run(
            [*command, *mount, wheels, at, script],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout
