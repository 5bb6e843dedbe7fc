"""The Salesforce CLI with a home of its own, and no way out of this machine."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rotator.sandbox.stage import Stage
from tests.judges.tools import NodeTools
from tests.world.commands import Ran, Rotator

GUARD = Path(__file__).parent / "node" / "loopback.cjs"
SALESFORCES_OWN = {"login.salesforce.com", "test.salesforce.com"}
"""Where the CLI tries a login also that the org refuses (getLoginAudienceCombos of @salesforce/core)."""

CONNECTED_APP = "ConnectedApp:Rotator_Globex"
EXTERNAL_CLIENT_APP = (
    "ExternalClientApplication:Rotator_Acme",
    "ExtlClntAppGlobalOauthSettings:Rotator_Acme_glbloauth",
    "ExtlClntAppOauthSettings:Rotator_Acme_oauth",
)
"""Components of the sandbox's apps, as the CLI names them."""


class SalesforceCli:
    """Runs commands of the CLI.

    Attributes:
        home: the CLI's HOME, where it keeps its logins.
    """

    def __init__(self, node: NodeTools, home: Path, org_url: str) -> None:
        self._node, self._org_url = node, org_url
        self.home = home
        self._notes = home / "beyond-this-machine"
        self._notes.touch()

    def __call__(self, *arguments: object, cwd: Path | None = None, **env: object) -> Ran:
        """Run a command. ``env`` are variables of its environment beside those that it always has."""
        done = self._node.run(
            "@salesforce/cli/bin/run.js",
            *arguments,
            env=self._environment() | {name: str(value) for name, value in env.items()},
            cwd=cwd or self.home,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def login(self, rotator: Rotator, credential: str, *more: object, key: str = "", **env: object) -> Ran:
        """Log the first user of a credential in with ``key`` (PEM), or the key that rotator stored."""
        settings = rotator.settings()["credentials"][credential]
        return self.login_as(
            settings["users"][0],
            settings["consumer_key"],
            key or rotator.stored_key_pair(credential)["private_key_pem"],
            *more,
            **env,
        )

    def login_as(self, user: str, consumer_key: str, key: str, *more: object, **env: object) -> Ran:
        """Log a user in with a private key (PEM)."""
        # The CLI keeps the path, and reads the key again when a session has ended.
        descriptor, file = tempfile.mkstemp(".key", dir=self.home)
        with os.fdopen(descriptor, "w") as opened:
            opened.write(key)
        command = ("org", "login", "jwt", "--username", user, "--client-id", consumer_key)
        return self(*command, "--jwt-key-file", file, "--instance-url", self._org_url, *more, **env)

    def beyond_this_machine(self) -> set[str]:
        """Return the hosts that it wanted to speak to and could not, and forget them."""
        hosts = set(self._notes.read_text().split())
        self._notes.write_text("")
        return hosts

    def _environment(self) -> dict[str, str]:
        return {
            "HOME": str(self.home),
            "CI": "true",  # tells of its progress in lines, without a terminal's tricks
            "NO_COLOR": "1",
            "NODE_OPTIONS": f"--require={GUARD}",
            "LOOPBACK_NOTES": str(self._notes),
            # Otherwise it uploads what was done, and asks the registry for its newest version.
            "SF_DISABLE_TELEMETRY": "true",
            "SF_SKIP_NEW_VERSION_CHECK": "true",
            # SF_AUTOUPDATE_DISABLE alone turns updates on where it was installed by npm: it starts `sf update`.
            "SF_DISABLE_AUTOUPDATE": "true",
            "SF_USE_GENERIC_UNIX_KEYCHAIN": "true",
            # As --instance-url, without the slash that the CLI puts to its end.
            "SF_AUDIENCE_URL": self._org_url,
        }


def named(*components: str) -> list[str]:
    """Return the options that name components."""
    return [word for component in components for word in ("--metadata", component)]


def retrieve(deployer: Callable[..., Ran], folder: Path, *components: str) -> Path:
    """Let the CLI retrieve components in metadata format, and return the folder with package.xml."""
    done = deployer(
        *("project", "retrieve", "start", *named(*components), "--json"),
        *("--target-metadata-dir", folder, "--single-package", "--unzip"),
    )
    assert done.code == 0, done.out
    return folder / "unpackaged"


def deploy(deployer: Callable[..., Ran], folder: Path, *more: object, **env: Any) -> Ran:
    """Let the CLI deploy a folder or a zip in metadata format."""
    return deployer("project", "deploy", "start", "--metadata-dir", folder, "--single-package", *more, **env)


def begin_project(folder: Path) -> None:
    """Make a Salesforce DX project with nothing in it."""
    (folder / "force-app").mkdir()
    described = {"packageDirectories": [{"path": "force-app", "default": True}], "sourceApiVersion": "68.0"}
    (folder / "sfdx-project.json").write_text(json.dumps(described))


def held(stage: Stage, app: str) -> str | None:
    """Return the fingerprint of the certificate in an app's slot."""
    fingerprint: str | None = stage.control.state()["apps"][app]["fingerprint"]
    return fingerprint
