"""The image, built and run by a real Docker daemon: without a shell, without any right, on a file system that is read."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from dataclasses import replace

import pytest

from rotator import __version__
from tests.machines import images
from tests.machines.composed import composed
from tests.machines.contained import SECRET, STOP_SECONDS, USER, serving
from tests.machines.docker import Docker
from tests.machines.inside import PYTHON, installed, processes, run
from tests.world.daemon import SENT
from tests.world.program import program
from tests.world.site import FAST

pytestmark = pytest.mark.timeout(900)

IMAGE, AGAIN, SANDBOX = "rotator:bare", "rotator:again", "rotator:sandbox"
NAMED = {"ROTATOR_IMAGE": IMAGE, "ROTATOR_SANDBOX_IMAGE": SANDBOX}
COMPOSE = images.ROOT / "config" / "compose"
MOST_ADDED_BYTES = 64_000_000
RUNS = "/tmp/runs"  # noqa: S108 - a file system of the container's own

SECRETS = """
from pathlib import Path
for file in Path("/sandbox").iterdir():
    if file.name not in ("rotator.yaml", "control-url"):
        print(file.read_text())
"""

INTERFACES = "import socket; print([name for _number, name in socket.if_nameindex()])"

LEAVES_ORPHANS = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        import time
        time.sleep(600)
    os._exit(0)
"""


@pytest.fixture(scope="module")
def docker(tmp_path_factory):
    """A Docker daemon that has the bases."""
    with Docker(tmp_path_factory.mktemp("docker")) as docker:
        images.import_bases(docker)
        yield docker


@pytest.fixture(scope="module")
def image(docker):
    """The image, on a base that has Python and no command but that."""
    images.build(docker, IMAGE, BASE=images.BASE, RUNTIME=images.BARE)
    return IMAGE


def inspect(docker, image):
    return json.loads(docker("image", "inspect", image))[0]


def test_it_is_small_and_all_that_it_adds_is_one_layer(docker, image, figures):
    sizes = {one: inspect(docker, one)["Size"] for one in (image, images.BARE, images.BASE)}
    added = sizes[image] - sizes[images.BARE]
    figures(
        image_mb=round(sizes[image] / 1e6, 1),
        base_mb=round(sizes[images.BARE] / 1e6, 1),
        added_mb=round(added / 1e6, 1),
        on_a_whole_debian_mb=round((sizes[images.BASE] + added) / 1e6, 1),
    )
    assert added <= MOST_ADDED_BYTES
    layers = docker("history", "--no-trunc", "--human=false", "--format={{.Size}} {{.CreatedBy}}", image)
    bringing = [line for line in layers.splitlines() if not line.startswith("0 ")]
    assert [line.split()[1] for line in bringing[:-1]] == ["COPY"], bringing  # the last one is the base


def test_it_says_what_it_is(docker, image):
    settings = inspect(docker, image)["Config"]
    labels = {
        name.removeprefix("org.opencontainers.image."): value for name, value in settings["Labels"].items()
    }
    assert labels["version"] == __version__
    assert labels["base.name"] == images.BARE
    assert labels["licenses"] == "Apache-2.0"
    assert {"title", "description", "vendor", "revision"} <= labels.keys()
    assert settings["User"] == f"{USER}:{USER}"
    assert settings["StopSignal"] == "SIGTERM"
    assert (settings["Entrypoint"], settings["Cmd"]) == (["rotator"], ["run"])
    assert docker.run(image, "--version") == (0, f"rotator {__version__}\n")


def test_there_is_nothing_in_it_that_it_does_not_need(docker, image):
    found = installed(docker, image)
    parts = {part for path in found for part in path.removeprefix("/opt/rotator/").split("/")}
    unneeded = {"pip", "setuptools", "wheel", "hatchling", ".cache", "src"}
    assert not parts & unneeded
    assert not [path for path in found if path.endswith("/site-packages/tests")]
    assert not [path for path in found if path.endswith((".whl", ".tar.gz", ".o", ".sh"))]
    # Its user can change nothing.
    assert {(uid, gid) for _mode, uid, gid, _what in found.values()} == {(0, 0)}
    assert not [path for path, (mode, *_) in found.items() if mode[3] != "2" and int(mode, 8) & 0o022]
    for command in ("sh", "bash", "/bin/sh", "pip", "cc", "curl"):
        code, said = docker.run(image, options=(f"--entrypoint={command}",))
        assert (code, "no such file" in said or "not found" in said) == (127, True), said


def test_another_build_on_another_base_installs_the_same_files(docker, image, figures):
    images.build(docker, AGAIN, "--no-cache", BASE=images.BASE)
    first, again = installed(docker, image), installed(docker, AGAIN)
    assert {path for path in first.keys() | again.keys() if first.get(path) != again.get(path)} == set()
    figures(files=len(first))


def test_it_rotates_while_it_may_do_nothing_else(docker, image, tmp_path, figures):
    with serving(docker, image, tmp_path) as (here, contained), here.consuming():
        assert here.rotate("acme") == 2
        status = run(docker, contained.name, "print(open('/proc/1/status').read())")
        may = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert (may["CapBnd"], may["NoNewPrivs"], may["Seccomp"]) == ("0" * 16, "1", "2")
        assert set(may["Uid"].split() + may["Gid"].split()) == {str(USER)}
        assert contained.inspect(".HostConfig.ReadonlyRootfs") == "true"
        code, _seconds = contained.stop()
        assert code == 0
        figures(**here.audit())


def test_its_health_is_the_daemons(docker, image, tmp_path, figures):
    with serving(docker, image, tmp_path) as (here, contained):

        def healthy():
            return contained.inspect(".State.Health.Status") == "healthy"

        here.until("it is healthy", healthy, within_seconds=120)
        here.stage.vault.seal()
        here.journal.wait_for("vault.sealed")
        assert docker("exec", contained.name, "rotator", "alive").startswith("alive: ")
        contained.signal("STOP")
        seconds = here.until("it is not", lambda: not healthy(), within_seconds=180)
        assert contained.inspect(".State.Health.Status") == "unhealthy"
        contained.signal("CONT")
        here.until("it is again", healthy, within_seconds=120)
        figures(unhealthy_after_seconds=round(seconds))


def test_it_stops_in_time_in_mid_rotation_and_a_new_container_goes_on(docker, image, tmp_path, figures):
    lives = replace(FAST, deploy_seconds=8)
    with serving(docker, image, tmp_path, lives=lives) as (here, contained), here.consuming():
        since = here.rotate_until(SENT)
        code, seconds = contained.stop()
        assert code == 0
        assert seconds < STOP_SECONDS  # else it was killed
        assert here.phase("acme") == "deploying"
        contained.start()
        here.journal.wait_for("key.promoted", since, credential="acme", serial=2)
        here.await_steady()
        contained.stop()
        figures(stop_seconds=round(seconds, 1), **here.audit())


def test_as_the_first_process_it_stops_also_while_it_starts(docker, image, tmp_path):
    """It is held where it reads its configuration, from a pipe that nobody writes to."""
    with serving(docker, image, tmp_path, adopt=False) as (here, contained):
        file = tmp_path / "rotator.yaml"
        file.unlink()
        os.mkfifo(file)
        contained.start()

        def read():
            with suppress(OSError):  # ENXIO: nobody reads
                return os.open(file, os.O_WRONLY | os.O_NONBLOCK)

        descriptors = []
        here.until("it reads", lambda: descriptors.append(read()) or descriptors[-1])
        code, seconds = contained.stop()
        os.close(descriptors[-1])
        assert code == 0
        assert seconds < STOP_SECONDS


def test_as_the_first_process_it_leaves_no_orphan_of_a_program(docker, image, tmp_path):
    file = tmp_path / "install-certificate"
    file.write_text(program(PYTHON) + LEAVES_ORPHANS)
    file.chmod(0o755)

    def by_program(settings):
        command = ["/usr/local/bin/install-certificate", here_url, "Rotator_Globex", RUNS]
        settings["credentials"]["globex"]["deploy"] = {
            "publisher": "command",
            "command": command,
            "timeout": "5s",
        }

    with serving(docker, image, tmp_path, adopt=False) as (here, contained):
        here_url = here.stage.org.control_url
        contained.configure(here, by_program)
        contained.options = [f"--volume={file}:/usr/local/bin/{file.name}:ro"]
        here.adopt()
        assert here.rotate("globex") == 2
        assert run(docker, contained.name, f"print(open('{RUNS}').read())").startswith("globex ")
        here.until("it is alone", lambda: processes(docker, contained.name) == [1])


@pytest.mark.parametrize(
    ("owner", "mode", "said"),
    [
        ((USER, USER), 0o400, ""),
        ((0, USER), 0o440, ""),
        ((0, 0), 0o444, "mode: 0440"),
        ((0, 0), 0o400, f"(user {USER}"),
    ],
    ids=["its own", "its group's", "as a swarm gives it", "root's alone"],
)
def test_a_secret_in_a_file_is_taken_from_owner_or_group_and_else_it_says_what_to_do(
    stood, owner, mode, said
):
    here, contained = stood
    contained.put_secret(here.stage.approle.secret_id_file.read_text(), owner, mode)
    code, told = contained.command("status")
    assert (code == 0) == (said == ""), told
    assert said in " ".join(told.split())
    assert said == "" or SECRET in told


def test_compose_runs_it_beside_a_vault_and_orgs_that_are_elsewhere(docker, image, tmp_path):
    for file in COMPOSE.glob("*.yaml"):
        shutil.copy(file, tmp_path)
    # The loopback of this machine is elsewhere here.
    (tmp_path / "here.yaml").write_text("services: {rotator: {network_mode: host}}")
    with (
        serving(docker, image, tmp_path, adopt=False),
        composed(docker, tmp_path, "compose.yaml", "here.yaml", images=NAMED) as compose,
    ):
        assert compose("run", "--rm", "rotator", "once").splitlines()[-3:] == [
            "acme: steady",
            "globex: steady",
            "deployer: steady",
        ]


def test_compose_runs_the_sandbox_without_a_network_and_it_rotates(docker, image, figures):
    images.build(docker, SANDBOX, BASE=images.BASE, RUNTIME=images.BARE, EXTRA="sandbox")
    with composed(docker, COMPOSE, "sandbox.yaml", images=NAMED) as compose:
        compose("up", "--detach")
        services = {name: compose("ps", "--quiet", name).strip() for name in ("sandbox", "rotator")}
        waiting = ("exec", "-T", "rotator", "rotator", "rotate", "acme", "--wait")
        assert "promoted" in compose(*waiting, "--vault-token-file", "/sandbox/operator-token")
        assert docker("exec", services["rotator"], "rotator", "alive").startswith("alive: ")
        health = "{{.State.Health.Status}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}}"
        assert docker("inspect", f"--format={health}", services["sandbox"]) == "healthy true [ALL]"
        assert "eth" not in run(docker, services["rotator"], INTERFACES)
        secrets = run(docker, services["sandbox"], SECRETS).split()
        told = docker("inspect", *services.values()) + docker("logs", services["rotator"])
        assert len(secrets) == 4
        assert not [secret for secret in secrets if secret in told]
        figures(sandbox_image_mb=round(inspect(docker, SANDBOX)["Size"] / 1e6, 1))
    assert (docker("ps", "--all", "--quiet"), docker("volume", "ls", "--quiet")) == ("", "")


@pytest.fixture(scope="module")
def stood(docker, image, tmp_path_factory):
    """A site whose daemon is not started."""
    with serving(docker, image, tmp_path_factory.mktemp("given"), adopt=False) as given:
        yield given
