"""What a package does to the apps of the org, by Salesforce's rules; nothing is written before `commit`.

Deploys are declarative: an element that the package leaves out goes back to its default. A
package without the certificate clears it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rotator.sandbox.org.apps import (
    MANAGE_PROFILES,
    MODIFY_ALL_DATA,
    App,
    Document,
    Stamp,
    User,
    may_change,
)
from rotator.sandbox.org.certificates import read_certificate
from rotator.sandbox.org.components import (
    CONNECTED_APP,
    EXTERNAL_CLIENT_APP,
    GLOBAL_OAUTH,
    OAUTH_POLICIES,
    OAUTH_SETTINGS,
    TYPES,
    BadComponent,
    flag,
    parse_component,
    text_of,
    texts_of,
)
from rotator.sandbox.org.scopes import SCOPES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from xml.etree.ElementTree import Element

    from rotator.sandbox.org.model import Org
    from rotator.sandbox.org.packages import PackageFile

_ORDER = list(TYPES)
_CONSUMER_KEY = re.compile(r"[A-Za-z0-9._]{8,256}")
_PREAUTHORISATION = ("permissionSetName", "profileName")


@dataclass(slots=True)
class FileResult:
    """What became of one file."""

    file: PackageFile
    problem: str = ""
    is_warning: bool = False
    created: bool = False
    record_id: str = ""


@dataclass(slots=True)
class Outcome:
    """What a package would do: a result for each file, and the apps as they would be."""

    results: list[FileResult] = field(default_factory=list)
    drafts: dict[tuple[str, str], App] = field(default_factory=dict)
    spoilt: set[tuple[str, str]] = field(default_factory=set)
    """Apps of which a file failed."""
    swapped: set[tuple[str, str]] = field(default_factory=set)
    """Apps of which the file with the certificate is in the package."""
    rotated: set[tuple[str, str]] = field(default_factory=set)
    """Apps whose consumer key the package asks to replace."""

    @property
    def failed(self) -> bool:
        return any(result.problem for result in self.results)


def weigh(org: Org, user: User, files: Sequence[PackageFile], *, ignore_warnings: bool) -> Outcome:
    """Judge a package for this user, against the org as it is."""
    outcome = Outcome()
    for file in sorted(files, key=lambda each: _ORDER.index(each.kind.name)):
        result = FileResult(file)
        outcome.results.append(result)
        try:
            _Judge(org, user, outcome, files, ignore_warnings=ignore_warnings).judge(file, result)
        except BadComponent as bad:
            result.problem = str(bad)
    return outcome


def commit(org: Org, outcome: Outcome, moment: float) -> None:
    """Write the drafts of all apps without a failed file into the org."""
    for key, draft in outcome.drafts.items():
        if key in outcome.spoilt:
            continue
        app = org.apps.setdefault(key, draft)
        app.documents = draft.documents
        if key in outcome.rotated:
            app.consumer_key = org.new_consumer_key(app.name)
        if key in outcome.swapped:
            org.install(app, moment)
        if org.knobs.swap_kills_sessions:
            org.sessions.end(consumer_key=app.consumer_key)


class _Judge:
    """Applies one file to the draft of its app. Raises BadComponent."""

    def __init__(
        self, org: Org, user: User, outcome: Outcome, files: Sequence[PackageFile], *, ignore_warnings: bool
    ) -> None:
        self._org, self._user, self._outcome, self._files = org, user, outcome, files
        self._ignore_warnings = ignore_warnings

    def judge(self, file: PackageFile, result: FileResult) -> None:
        root = parse_component(file.kind, file.content)
        on_its_own = file.kind.name in {CONNECTED_APP, EXTERNAL_CLIENT_APP}
        app_kind = CONNECTED_APP if file.kind.name == CONNECTED_APP else EXTERNAL_CLIENT_APP
        name = file.full_name if on_its_own else text_of(root, "externalClientApplication")
        key = (app_kind, name)
        try:
            draft = self._draft(key, creates=on_its_own)
            self._document(file, draft, root, result)
        except BadComponent:
            self._outcome.spoilt.add(key)
            raise

    def _draft(self, key: tuple[str, str], *, creates: bool) -> App:
        if not may_change(self._user, key[0]):
            raise BadComponent("INSUFFICIENT_ACCESS: insufficient access rights on cross-reference id")
        drafts = self._outcome.drafts
        if key not in drafts:
            there = self._org.apps.get(key)
            if there is None and not creates:
                raise BadComponent(
                    f"In field: externalClientApplication - no ExternalClientApplication named {key[1]} found"
                )
            if there is None and key[0] == CONNECTED_APP and not self._org.knobs.allow_new_connected_apps:
                raise BadComponent(
                    "You can't create a connected app. To enable connected app creation, contact Salesforce Customer Support."
                )
            drafts[key] = there.draft() if there else self._org.new_app(*key)
        return drafts[key]

    def _document(self, file: PackageFile, draft: App, root: Element, result: FileResult) -> None:
        kind, old = file.kind.name, draft.documents.get(file.kind.name)
        if old and old.full_name != file.full_name:
            raise BadComponent(
                f"The external client app {draft.name} already has a component of type {kind}: {old.full_name}"
            )
        if kind == CONNECTED_APP:
            self._connected_app(draft, root, old.root if old else None)
        elif kind == EXTERNAL_CLIENT_APP:
            self._external_client_app(draft, root, exists=old is not None)
        elif kind == GLOBAL_OAUTH:
            self._global_oauth(draft, root, result, exists=old is not None)
        elif kind == OAUTH_SETTINGS:
            _check_scopes(texts_of(root, "commaSeparatedOauthScopes"))
        elif kind == OAUTH_POLICIES:
            self._policies(root)
        result.created = old is None
        result.record_id = old.record_id if old else self._org.ids.next(file.kind.id_prefix)
        stamp = Stamp(self._org.elapsed(), self._user.user_id, self._user.name)
        draft.documents[kind] = Document(
            file.full_name, result.record_id, root, old.created if old else stamp, stamp
        )

    # --- the rules of each type -----------------------------------------------------------------

    def _connected_app(self, draft: App, root: Element, old: Element | None) -> None:
        oauth = root.find("oauthConfig")
        if oauth is not None:
            self._take_consumer_key(draft, oauth, exists=old is not None, may_repeat=False)
            _check_certificate(oauth)
        # Elements that are left out keep who may use the app, empty ones wipe it.
        for tag in _PREAUTHORISATION:
            before = texts_of(old, tag)
            if root.find(tag) is None:
                for value in before:
                    _append(root, tag, value)
                continue
            wanted = texts_of(root, tag)
            if (
                set(wanted) != set(before)
                and not {MODIFY_ALL_DATA, MANAGE_PROFILES} <= self._user.permissions
            ):
                raise BadComponent(
                    "INSUFFICIENT_ACCESS: Manage Profiles and Permission Sets and Modify All Data are required"
                )
            self._check_named(tag, wanted)
        self._outcome.swapped.add((draft.kind, draft.name))

    def _external_client_app(self, draft: App, root: Element, *, exists: bool) -> None:
        own = f"{self._org.org_id}:{draft.name}"
        given = text_of(root, "orgScopedExternalApp")
        if given not in (
            {own, own.replace(self._org.org_id, self._org.org_id[:15])} if exists else {own, ""}
        ):
            raise BadComponent(f"orgScopedExternalApp must be {own}")
        if not given:
            _append(root, "orgScopedExternalApp", own)

    def _global_oauth(self, draft: App, root: Element, result: FileResult, *, exists: bool) -> None:
        needed = {EXTERNAL_CLIENT_APP, OAUTH_SETTINGS}
        if not needed <= {file.kind.name for file in self._files if draft.name in _app_names(file)}:
            raise BadComponent(
                f"The external client app {draft.name} doesn't have a valid OAuth settings configuration"
            )
        _check_certificate(root)
        self._take_consumer_key(draft, root, exists=exists, may_repeat=True)
        rotates = [
            tag for tag in ("shouldRotateConsumerKey", "shouldRotateConsumerSecret") if flag(root, tag)
        ]
        if rotates and exists and not self._ignore_warnings:
            result.is_warning = True
            raise BadComponent(f"{rotates[0]} replaces the consumer credentials of {draft.name}")
        if "shouldRotateConsumerKey" in rotates and exists:
            self._outcome.rotated.add((draft.kind, draft.name))
        self._outcome.swapped.add((draft.kind, draft.name))

    def _policies(self, root: Element) -> None:
        minutes = text_of(root, "sessionTimeoutInMinutes")
        if minutes and not (minutes.isdecimal() and 15 <= int(minutes) <= 1440):  # noqa: PLR2004 - 15 min to 24 h
            raise BadComponent("sessionTimeoutInMinutes must be between 15 and 1440")
        self._check_named("profileName", texts_of(root, "commaSeparatedProfile"))
        self._check_named("permissionSetName", texts_of(root, "commaSeparatedPermissionSet"))

    def _check_named(self, tag: str, names: Sequence[str]) -> None:
        kind = "Profile" if tag == "profileName" else "PermissionSet"
        known = self._org.known_profiles if kind == "Profile" else self._org.known_permission_sets
        for name in names:
            if name not in known:
                raise BadComponent(f"In field: {tag} - no {kind} named {name} found")

    def _take_consumer_key(self, draft: App, root: Element, *, exists: bool, may_repeat: bool) -> None:
        """A consumer key can be chosen when the app is created and never again."""
        given = text_of(root, "consumerKey")
        if given and exists and not (may_repeat and given == draft.consumer_key):
            raise BadComponent("You cannot provide a Consumer Key")
        if given and not exists:
            if not _CONSUMER_KEY.fullmatch(given):
                raise BadComponent(
                    "The consumer key must have 8 to 256 letters, digits, dots and underscores"
                )
            taken = self._org.app_by_key(given)
            if (taken and taken.name != draft.name) or given in self._org.foreign_consumer_keys:
                raise BadComponent("The consumer key you provided is already taken.")
            draft.consumer_key = given
        for tag in ("consumerKey", "consumerSecret"):
            if (element := root.find(tag)) is not None:
                root.remove(element)


def _app_names(file: PackageFile) -> set[str]:
    """The app that a file speaks of, as far as can be told before it is judged."""
    if file.kind.name == EXTERNAL_CLIENT_APP:
        return {file.full_name}
    try:
        return {text_of(parse_component(file.kind, file.content), "externalClientApplication")}
    except BadComponent:
        return set()


def _append(root: Element, tag: str, text: str) -> None:
    element = root.makeelement(tag, {})
    element.text = text
    root.append(element)


def _check_scopes(named: Sequence[str]) -> None:
    """Scopes that stand in one text; those of a Connected App are elements, which the schema knows."""
    for scope in named:
        if scope not in SCOPES:
            raise BadComponent(f"'{scope}' is not a valid value for the enum 'ConnectedAppOauthAccessScope'")


def _check_certificate(root: Element) -> None:
    text = text_of(root, "certificate")
    if text:
        try:
            read_certificate(text)
        except ValueError as problem:
            raise BadComponent(str(problem)) from None
