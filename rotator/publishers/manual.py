"""The publisher that is a person: it asks, and the proofs tell when it was done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from rotator.core.effects import Answer, Kind
from rotator.core.model import Serial
from rotator.finding import Finding
from rotator.publishers import TOO_LATE
from rotator.salesforce.appfiles import App, AppKind
from rotator.show.times import span

_EXTERNAL_CLIENT_APP = """\
1. {saved} It is public; no private key leaves Vault.
2. In Salesforce open Setup, enter "External Client App" into Quick Find, and select External Client App Manager.
3. In the row of {name} open the menu and select Edit Settings.
4. Under OAuth Settings, in Flow Enablement, leave Enable JWT Bearer Flow selected. Select Upload Files and choose
   the file. Change nothing else on the page.
5. Save. Other servers of the org need up to 30 minutes to learn of it."""

_CONNECTED_APP = """\
1. {saved} It is public; no private key leaves Vault.
2. In Salesforce open Setup, enter "App Manager" into Quick Find, and select App Manager.
3. In the row of {name} open the menu and select Edit. (Not Manage: that page holds the policies.)
4. Under API (Enable OAuth Settings) leave Use Digital Signatures selected. Select Choose File and choose the file.
   Look whether its name is shown: when the page was reloaded after an error the field is empty, and saving would
   leave the app without a certificate. Change nothing else on the page.
5. Save, and Continue. Other servers of the org need up to 10 minutes to learn of it."""


def manual_steps(app: App, certificate_pem: str, seen_within: timedelta) -> str:
    """Return what a person has to do in Setup (2026) to bring a certificate into an app, with the certificate.

    Args:
        seen_within: how soon it shows by itself that it was done.
    """
    steps = _steps(app, f"Save the certificate below as a file, for instance {app.name}.crt.", seen_within)
    return f"The app {app.name} needs a new certificate.\n\n{steps}\n\n{certificate_pem.strip()}\n"


def upload_steps(app: App, credential: str, seen_within: timedelta) -> list[str]:
    """Return the same, where a command prints the certificate: a line each."""
    command = f"rotator certificate {credential} > {app.name}.crt"
    return _steps(app, f"Save the certificate as a file:\n     {command}\n  ", seen_within).splitlines()


def leaked_step(credential: str, serial: Serial) -> str:
    """Return what takes the place of the steps where the certificate of a leaked key is not in the app any more."""
    return (
        f"key pair {serial} leaked, so its certificate is to stay out of the app: a new key pair is made in its place "
        f"after a pause, or at once by `rotator rotate {credential} --compromised`"
    )


def _steps(app: App, saved: str, seen_within: timedelta) -> str:
    steps = _EXTERNAL_CLIENT_APP if app.kind is AppKind.EXTERNAL_CLIENT_APP else _CONNECTED_APP
    return (
        f"{steps.format(name=app.name, saved=saved)}\n"
        f"6. rotator finds out by itself within {span(seen_within)}; `rotator deployed` makes it look at once."
    )


class ManualPublisher:
    """Answers at once: what is asked of a person can be neither refused nor waited for."""

    def __init__(self, app: App, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._app, self._clock = app, clock

    def validate(self, certificate_pem: str, ticket: str | None) -> Answer:  # noqa: ARG002 - the protocol's
        """Nothing can be known beforehand."""
        return Answer(Kind.OK, self._clock(), message="a person brings the certificate in")

    def deploy(self, certificate_pem: str, send_before: datetime) -> Answer:  # noqa: ARG002 - the protocol's
        """Count as asked: the alert about it holds :func:`manual_steps`."""
        now = self._clock()
        if now >= send_before:
            late = "there is no time left to ask"
            return Answer(Kind.FAILED, now, code="publisher.too_late", message=late, hint=TOO_LATE)
        return Answer(
            Kind.OK, now, message=f"a person is asked to bring the certificate into {self._app.name}"
        )

    def poll(self, certificate_pem: str, *, ticket: str | None, since: datetime, cancel: bool) -> Answer:  # noqa: ARG002 - the protocol's
        """Only the proofs can tell."""
        return Answer(Kind.OK, self._clock(), message="the proofs tell whether it was done")

    def certificate_shown(self) -> None:
        """Nobody who could look at the slot is known."""

    def verify(self) -> Iterator[Finding]:
        """Nothing can be looked at."""
        yield Finding(
            True, f"{self._app.name}: deploy", "by hand: the alert holds the certificate and the steps."
        )
