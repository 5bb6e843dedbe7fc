"""An org behind HTTPS, as clients expect it, and what the examples of consumers run on."""

from __future__ import annotations

import fcntl
import subprocess
import time
import venv
from dataclasses import replace

import pytest
import trustme

from rotator.sandbox.stage import Tls
from tests.world.commands import QUICK, Rotator, ready_stage
from tests.world.examples import EXAMPLES, USER, environment

LIVES = replace(QUICK, refresh_seconds=1, verify_seconds=0.2)
"""Whatever is read is soon due again, and `rotator once` calls every published token."""


@pytest.fixture(scope="session")
def tls(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    files = Tls(folder / "chain.pem", folder / "key.pem", folder / "authority.pem")
    issued.cert_chain_pems[0].write_to_path(files.chain)
    issued.private_key_pem.write_to_path(files.key)
    authority.cert_pem.write_to_path(files.authority)
    return files


@pytest.fixture(scope="module")
def stage(tls):
    with ready_stage(LIVES, tls=tls) as stage:
        yield stage


@pytest.fixture
def env(stage, tmp_path, tls):
    """Environment of a consumer of acme."""
    return environment(stage, tmp_path, tls)


@pytest.fixture
def prove_again(stage):
    """Lets rotator do all that is due: it calls what it has published, and publishes how far that proves it."""

    def prove():
        time.sleep(LIVES.verify_seconds)
        assert Rotator(stage)("once").code == 0

    return prove


@pytest.fixture
def kill_session(stage):
    """Ends the session of the consumer's token, as an administrator does. It is given another one in the end."""
    yield lambda: stage.control.kill_sessions(USER)
    assert Rotator(stage)("once").code == 0


@pytest.fixture
def renew_session(kill_session, prove_again):
    """Ends the session of the consumer's token, and lets rotator find out and publish another."""

    def renew():
        assert kill_session() == 1
        prove_again()

    return renew


@pytest.fixture(scope="session")
def python(tmp_path_factory, worker_id):
    """The interpreter with exactly what the Python example asks for, made once for all workers."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "python"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "ready").exists():
            venv.create(folder, with_pip=True)
            install = ("-m", "pip", "install", "--quiet", "--require-hashes", "--only-binary", ":all:", "-r")
            subprocess.run(
                [folder / "bin/python", *install, EXAMPLES / "python/requirements.txt"], check=True
            )
            (folder / "ready").touch()
    return folder / "bin" / "python"
