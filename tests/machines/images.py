"""The images: built from the Dockerfile of this checkout, on Debian from debootstrap instead of a public image."""

from __future__ import annotations

import ast
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.machines import debian
from tests.machines.docker import PROXIES, Docker

ROOT = Path(__file__).parents[2]
BASE, BARE = "debian:base", "debian:bare"

_BARE = (
    "lib",
    "lib64",
    "tmp",
    "etc/ssl",
    "usr/bin/python3",
    f"usr/bin/python{debian.PYTHON}",
    "usr/lib/python3",
    f"usr/lib/python{debian.PYTHON}",
    "usr/lib/ssl",
    "usr/lib/x86_64-linux-gnu",
    "usr/lib64",
    "usr/share/zoneinfo",
)
"""Of the tree what Python needs: no shell, no package manager, no command at all, as in a distroless image."""

_HANDED_ON = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout")
CA = Path("/run/secrets/ca")


def import_bases(docker: Docker) -> None:
    """Make the images that others are built on: a whole Debian with Python, and one with Python alone."""
    for tag, parts in ((BASE, ["."]), (BARE, _BARE)):
        packing = ["tar", "--create", f"--directory={debian.base()}", *parts]
        with subprocess.Popen(packing, stdout=subprocess.PIPE) as tar:
            loading = docker.start("import", "-", tag, stdin=tar.stdout)
            said, _ = loading.communicate()
        assert (tar.returncode, loading.returncode) == (0, 0), said


def build(docker: Docker, tag: str, *options: str, **arguments: str) -> None:
    """Build the image with these build arguments, its packages from where pip on this machine has them."""
    given = [f"{name}={value}" for name, value in arguments.items()]
    given += [name for name in PROXIES if name in docker.environment]  # the value stays with the client
    told = [f"--build-arg={one}" for one in given]
    with tempfile.TemporaryDirectory() as folder:  # that nobody else can read: an address may hold a password
        secrets = _secrets(Path(folder))
        docker("build", "--quiet", "--network=host", f"--tag={tag}", *options, *told, *secrets, ROOT)


def _secrets(folder: Path) -> Sequence[str]:
    """Return the options by which a build learns where pip finds packages here, and whom it trusts."""
    settings = _pip_settings()
    lines = [f"{name} = {value}" for name, value in settings.items() if name in _HANDED_ON]
    secrets = {}
    if "cert" in settings:
        secrets["ca"] = Path(settings["cert"])
        lines.append(f"cert = {CA}")
    file = secrets["pip"] = folder / "pip.conf"
    file.write_text("\n".join(["[global]", *lines, ""]))
    return [f"--secret=id={name},src={path}" for name, path in secrets.items()]


def _pip_settings() -> dict[str, str]:
    """Return what pip goes by here: its files and, over them, the environment. Folders of this machine are left out."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    found: dict[str, str] = {}
    for line in sorted(lines, key=lambda line: line.startswith(":env:")):
        name, _, value = line.partition("=")
        text = ast.literal_eval(value)
        if "file:" not in text:
            found[name.rpartition(".")[2]] = text
    return found
