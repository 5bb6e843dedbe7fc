"""Looks inside an image or a container, which has Python and maybe no other command."""

from __future__ import annotations

import json

from tests.machines.docker import Docker

PYTHON = "/opt/rotator/bin/python"

_WALK = """
import hashlib, json, os, stat
found = {}
for folder, folders, files in os.walk("/opt/rotator"):
    for name in folders + files:
        path = os.path.join(folder, name)
        status = os.lstat(path)
        if stat.S_ISREG(status.st_mode):
            with open(path, "rb") as file:
                what = hashlib.sha256(file.read()).hexdigest()
        else:
            what = os.readlink(path) if os.path.islink(path) else ""
        found[path] = [oct(status.st_mode), status.st_uid, status.st_gid, what]
print(json.dumps(found))
"""

_PROCESSES = """
import json, os
print(json.dumps([int(pid) for pid in os.listdir("/proc") if pid.isdigit() and int(pid) != os.getpid()]))
"""


def run(docker: Docker, container: str, script: str) -> str:
    """Run a script in a container, beside what runs there."""
    return docker("exec", container, PYTHON, "-c", script)


def installed(docker: Docker, image: str) -> dict[str, list[str | int]]:
    """Return path -> mode, owner, group, and hash or target, of all that an image has beside its base."""
    code, said = docker.run(image, "-c", _WALK, options=(f"--entrypoint={PYTHON}",))
    assert code == 0, said
    found: dict[str, list[str | int]] = json.loads(said)
    return found


def processes(docker: Docker, container: str) -> list[int]:
    """Return the processes of a container, those that nobody has reaped included."""
    found: list[int] = json.loads(run(docker, container, _PROCESSES))
    return found
