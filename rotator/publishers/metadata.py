"""The publisher that brings the certificate in through the Metadata API.

The app's files are read anew for every deploy, so that a setting that somebody changed meanwhile stays changed; the
certificate in them is replaced in place, and they are handed back. Files that the operator keeps are refused where
they would change another setting of what the org shows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, TypeVar

from rotator.core.effects import Answer, Kind
from rotator.errors import KeyRefused, Misconfigured, Rejected, RotatorError, SessionDead, Transient
from rotator.finding import Finding, failure
from rotator.publishers import TOO_LATE, failed
from rotator.salesforce import metadata, soap
from rotator.salesforce.appfiles import PARTS, App, AppFiles, AppKind, select
from rotator.salesforce.appxml import certificate_der, certificate_pem_of
from rotator.salesforce.differences import difference
from rotator.salesforce.http import Wire
from rotator.salesforce.packages import read_directory, unzipped
from rotator.salesforce.rest import Org, newest_api_version, userinfo
from rotator.salesforce.retrieval import FIRST_POLL_SECONDS, retrieve

CONNECTED_APP_VERSION: Final = 66.0
"""Later versions leave the scope CustomPermissions out of what they retrieve: deployed again, it would be lost."""

_UNCHANGED = "Nothing was changed. See Deployment Status in Setup."
_READ_BACK_PATIENCE = timedelta(hours=1)
_T = TypeVar("_T")


class MetadataPublisher:
    """Publishes to one app, in the name of a deployer."""

    def __init__(
        self,
        wire: Callable[[], Wire],
        session: Callable[[], Org],
        app: App,
        source: Path | None = None,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
        patience: timedelta = timedelta(seconds=60),
    ) -> None:
        """Prepare; nothing is sent yet.

        Args:
            wire: gives the wire of the calling thread.
            session: makes or gives a session of the deployer. It is kept until the org refuses it; then this is
                asked once more.
            source: a folder with the app's metadata files; None reads them from the org.
            patience: how long one call waits for the org to read its metadata.
        """
        self._wire, self._new_session, self._app, self._source = wire, session, app, source
        self._clock, self._sleep, self._patience = clock, sleep, patience
        self._session: Org | None = None

    def validate(self, certificate_pem: str, ticket: str | None) -> Answer:
        """Have the org check the deploy (``checkOnly``); see :class:`rotator.publishers.Publisher`."""
        try:
            if ticket is None:
                return Answer(Kind.PENDING, self._clock(), ticket=self._start_check(certificate_pem))
            deploy = self._get(ticket)
        except RotatorError as error:
            return self._told(error)
        if deploy is None or deploy.status == "Canceled":
            return Answer(Kind.ABSENT, self._clock(), message=f"the validation {ticket} is gone")
        if not deploy.done:
            return Answer(Kind.PENDING, self._clock(), ticket=ticket)
        if deploy.status == "Succeeded":
            return Answer(Kind.OK, self._clock(), message="the org would take the certificate")
        return self._refused(f"the org would refuse the deploy: {deploy.problem or deploy.status}", "invalid")

    def deploy(self, certificate_pem: str, send_before: datetime) -> Answer:
        """Start a deploy; see :class:`rotator.publishers.Publisher`."""
        try:
            archive, remark = self._package(certificate_pem, send_before)
        except RotatorError as error:
            return self._told(error)  # only reading so far: surely not done
        try:
            ticket = self._send(archive, send_before, check_only=False)
        except RotatorError as error:
            return self._told(error, Kind.UNKNOWN if error.maybe_done else Kind.FAILED)
        return Answer(Kind.PENDING, self._clock(), ticket=ticket, message=remark)

    def poll(self, certificate_pem: str, *, ticket: str | None, since: datetime, cancel: bool) -> Answer:
        """Find out what became of a deploy; see :class:`rotator.publishers.Publisher`."""
        try:
            found = self._search(since) if ticket is None else self._get(ticket)
            if isinstance(found, Answer):
                return found
            if found is None:
                return Answer(Kind.ABSENT, self._clock(), message="the org knows of no such deploy")
            if found.done:
                return self._ended(found, certificate_pem, since, searched=ticket is None)
            if cancel and found.status not in metadata.CANCEL_IS_LATE:
                self.ask(lambda org: metadata.cancel_deploy(self._wire(), org, found.id))
        except RotatorError as error:
            return failed(error, self._clock())  # says nothing of the slot, so never REFUSED
        return Answer(Kind.PENDING, self._clock(), ticket=found.id, message=f"the deploy is {found.status}")

    def verify(self) -> Iterator[Finding]:
        """Read the app and its certificate, and have a deploy of what is there checked."""
        try:
            files = self._files(self._until())
        except RotatorError as error:
            yield self._finding("app", error)
            return
        yield Finding(True, f"{self._app.name}: app", "its metadata can be read.")
        if self._source is not None:
            yield self._kept_files(files)
        try:
            der = files.certificate_der()
            if der is None:
                raise Misconfigured(
                    "no certificate is to be seen in its metadata",
                    code="publisher.no_certificate",
                    hint="Put one in by hand once, or keep the app's metadata files (deploy.source.directory).",
                )
            archive = files.with_certificate(certificate_pem_of(der)).package()
        except RotatorError as error:
            yield self._finding("certificate", error)
            return
        yield Finding(True, f"{self._app.name}: certificate", "it can be read and replaced.")
        yield self._check_to_the_end(archive)

    def certificate_shown(self) -> bytes | None:
        """Return the certificate (DER) that the org shows the deployer; None where it shows none. Raises RotatorError."""
        return self.ask(lambda org: self._retrieve(org, self._until())).certificate_der()

    def ask(self, question: Callable[[Org], _T]) -> _T:
        """Ask with the deployer's session; if the org refuses it, once more with a new one. Raises RotatorError."""
        if self._session is not None:
            try:
                return question(self._session)
            except SessionDead:
                self._session = None
        self._session = session = self._open()
        return question(session)

    # --- the files of the app -------------------------------------------------------------------

    def _package(self, certificate_pem: str, until: datetime) -> tuple[bytes, str]:
        """Return the package that brings a certificate in, and a remark on it. Nothing is sent at or after ``until``."""
        self._in_time(until)
        files = self._files(until)
        changed = files.with_certificate(certificate_pem)
        remark = "" if self._source is None else self._compared(files, until)
        return changed.package(), remark

    def _files(self, until: datetime) -> AppFiles:
        if self._source is None:
            return self.ask(lambda org: self._retrieve(org, until))
        files, version = read_directory(self._source)
        return select(self._app, files, version or self.ask(lambda org: org.api_version or ""))

    def _compared(self, kept: AppFiles, until: datetime) -> str:
        """Raise Rejected when kept files would change another setting; return why that can't be known, if so.

        What can't be read is what files are kept for; so they are good then. An org that is only slow is no such.
        """
        try:
            where = difference(kept, self.ask(lambda org: self._retrieve(org, until, kept.api_version)))
        except (KeyRefused, SessionDead):
            raise
        except (Misconfigured, Rejected) as error:
            return f"the kept files could not be compared with the org: {error.message}"
        if where is not None:
            raise Rejected(
                f"the kept files of {self._app.name} would change more than the certificate ({where})",
                code="salesforce.metadata.other_settings",
                hint="Retrieve the files anew from the org, or bring the two in line. Where the deployer may read the "
                "app, `deploy.source: org` needs no files.",
            )
        return ""

    def _retrieve(self, org: Org, until: datetime, version: str = "") -> AppFiles:
        """Read the app's files from the org, in the format of an API version where that is older than the org's.

        All components of the child types are fetched, for only their content tells to which app they belong.
        """
        wire, kinds = self._wire(), [kind.name for kind in PARTS[self._app.kind]]
        version = min(filter(None, (version, org.api_version)), key=float)
        self._in_time(until)
        listed = soap.list_metadata(wire, org, kinds)
        members = {kind: [each.full_name for each in listed if each.kind == kind] for kind in kinds}
        if self._app.name not in members[kinds[0]]:
            raise Misconfigured(
                f"the org shows the deployer no {kinds[0]} named {self._app.name} (of {len(members[kinds[0]])})",
                code="salesforce.metadata.app_not_shown",
                hint="Check `app.name` and `app.type`. If the app is there, the deployer lacks the permission to see "
                "it in the Metadata API.",
            )
        members[kinds[0]] = [self._app.name]
        until = min(until, self._until())
        retrieved = retrieve(
            wire, org, members, version, in_time=lambda: self._in_time(until), sleep=self._sleep
        )
        try:
            return select(self._app, unzipped(retrieved.archive), version)
        except Misconfigured as error:
            said = "".join(f"; the org says: {message}" for message in retrieved.messages[:3])
            raise Misconfigured(error.message + said, code=error.code, hint=error.hint) from None

    # --- deploys --------------------------------------------------------------------------------

    def _start_check(self, certificate_pem: str) -> str:
        until = self._until()
        archive, _ = self._package(certificate_pem, until)
        return self._send(archive, until, check_only=True)

    def _send(self, archive: bytes, until: datetime, *, check_only: bool) -> str:
        def send(org: Org) -> str:
            self._in_time(until)
            return metadata.start_deploy(self._wire(), org, archive, check_only=check_only)

        return self.ask(send)

    def _get(self, deploy_id: str) -> metadata.Deploy | None:
        return self.ask(lambda org: metadata.get_deploy(self._wire(), org, deploy_id))

    def _search(self, since: datetime) -> metadata.Deploy | Answer | None:
        """Return the newest deploy of our app since then; PENDING while one is under way that may be it."""
        user_id = self.ask(lambda org: userinfo(self._wire(), org)).user_id
        ids = self.ask(
            lambda org: metadata.find_deploys(
                self._wire(), org, since=since, user_id=user_id, clock=self._clock
            )
        )
        ours = (PARTS[self._app.kind][0].name, self._app.name)
        hidden = False
        for deploy_id in ids:
            deploy = self._get(deploy_id)
            if deploy is not None and ours in deploy.components:
                return deploy
            hidden = hidden or (deploy is not None and not deploy.done)
        if hidden:
            return Answer(Kind.PENDING, self._clock(), message="a deploy that may be ours is under way")
        return None

    def _ended(
        self, deploy: metadata.Deploy, certificate_pem: str, since: datetime, *, searched: bool
    ) -> Answer:
        """Return what the end of a deploy means. A cancelled one may have been committed all the same.

        REFUSED only if the slot was seen to be as it was, or the deploy was rolled back. What can't be seen, and a
        success that does not show, is for the proofs to tell; an org that is slow to show it is asked again first.
        One that was ``searched`` for, and brought another certificate, is not ours.
        """
        if deploy.status == "Failed":
            return self._refused(f"the deploy failed: {deploy.problem or 'no reason was given'}", "failed")
        try:
            shown = self.ask(lambda org: self._retrieve(org, self._until())).certificate_der()
        except RotatorError as error:
            passing = isinstance(error, Transient | SessionDead)
            if deploy.status != "Succeeded" and passing and self._clock() < since + _READ_BACK_PATIENCE:
                return failed(error, self._clock())
            shown = None
        if shown == certificate_der(certificate_pem):
            return Answer(Kind.OK, self._clock(), message=f"the org shows the certificate ({deploy.status})")
        if searched and shown is not None and deploy.status == "Succeeded":
            message = f"the latest deploy of the app ({deploy.id}) brought another certificate"
            return Answer(Kind.ABSENT, self._clock(), message=message)
        if shown is None or deploy.status == "Succeeded":
            return Answer(
                Kind.OK,
                self._clock(),
                message=f"ended as {deploy.status}; whether it holds, only the proofs tell",
            )
        return self._refused(
            f"the deploy ended as {deploy.status}: {deploy.problem or 'cancelled'}", "cancelled"
        )

    # --- what is looked at for the doctor -------------------------------------------------------

    def _kept_files(self, files: AppFiles) -> Finding:
        try:
            remark = self._compared(files, self._until())
        except RotatorError as error:
            return self._finding("kept files", error)
        said = remark or "they are what the org shows, but for the certificate"
        return Finding(True, f"{self._app.name}: kept files", said)

    def _check_to_the_end(self, archive: bytes) -> Finding:
        until = self._until()
        try:
            ticket = self._send(archive, until, check_only=True)
            while True:
                deploy = self._get(ticket)
                if deploy is not None and deploy.done:
                    break
                self._in_time(until)
                self._sleep(FIRST_POLL_SECONDS)
        except RotatorError as error:
            return self._finding("deploy", error)
        subject = f"{self._app.name}: deploy"
        if deploy.status == "Succeeded":
            return Finding(True, subject, "the org would take a deploy of what is there (checkOnly).")
        return Finding(
            False,
            subject,
            f"the org would refuse a deploy of what is there: {deploy.problem or deploy.status}",
            "See the permissions of the deployer, and the app's metadata.",
        )

    # --- session, time and troubles -------------------------------------------------------------

    def _open(self) -> Org:
        try:
            org = self._new_session()
        except RotatorError as error:
            error.maybe_done = False  # a login that may have come about is no deploy that may
            raise
        version = org.api_version or newest_api_version(self._wire(), org.instance_url)
        if self._app.kind is AppKind.CONNECTED_APP and float(version) > CONNECTED_APP_VERSION:
            version = str(CONNECTED_APP_VERSION)
        return replace(org, api_version=version)

    def _until(self) -> datetime:
        return self._clock() + self._patience

    def _in_time(self, until: datetime) -> None:
        if self._clock() >= until:
            raise Transient(
                "there is no time left to send anything", code="publisher.too_late", hint=TOO_LATE
            )

    def _told(self, error: RotatorError, kind: Kind = Kind.FAILED) -> Answer:
        """Return the answer that tells of an error. Plainly rejected are files that must not be deployed."""
        return failed(error, self._clock(), kind=Kind.REFUSED if type(error) is Rejected else kind)

    def _refused(self, message: str, code: str) -> Answer:
        return Answer(Kind.REFUSED, self._clock(), code=f"publisher.{code}", message=message, hint=_UNCHANGED)

    def _finding(self, what: str, error: RotatorError) -> Finding:
        return failure(f"{self._app.name}: {what}", error)
