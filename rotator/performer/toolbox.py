"""The adapters that all credentials share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from rotator.core.effects import Answer, Kind
from rotator.core.model import Serial
from rotator.errors import KeyRefused, Misconfigured, RotatorError
from rotator.keypairs import KeyPair, load_signing_key, make_key_pair
from rotator.performer.fleet import is_skewed
from rotator.performer.recent import Recent
from rotator.performer.station import Station
from rotator.publishers import retry_at
from rotator.salesforce.budget import LoginBudget
from rotator.salesforce.http import Wire, WireSettings
from rotator.salesforce.oauth import EXPIRED, Grant, mint
from rotator.salesforce.refusal_table import GRACE_CODES
from rotator.salesforce.rest import Org, newest_api_version
from rotator.secret import Secret
from rotator.vault.documents import Documents

KEYS_KEPT = 256  # RSA key objects in memory, about 9 kB each; making one from its text takes 16 us
TEXTS_KEPT = 16_384  # private keys as text, 2 kB each: one for every credential of a large fleet
PAIRS_KEPT = 64  # with certificates, for changes under way
KEYS_MADE_AT_ONCE = 2

Name = tuple[str, Serial, str]
"""A credential, and the serial and the fingerprint of one of its key pairs."""


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


class Wires:
    """Gives each thread a wire of its own."""

    def __init__(self, settings: WireSettings) -> None:
        self._kept = _Kept(settings)

    def __call__(self) -> Wire:
        kept = self._kept  # of before or after a renewal, but all of it
        wire: Wire | None = getattr(kept.local, "wire", None)
        if wire is None:
            wire = kept.local.wire = Wire(kept.settings)
            kept.wires.append(wire)
        return wire

    def renew(self, settings: WireSettings) -> None:
        """Give each thread another wire when it asks next. Calls under way come to their end."""
        if settings == self._kept.settings and settings.ca_file is None:
            return  # a CA file may have another content by now
        former, self._kept = self._kept, _Kept(settings)
        former.close()

    def close(self) -> None:
        """Close the connections of all threads."""
        self._kept.close()


@dataclass
class _Kept:
    """The wires of all threads, by the same settings."""

    settings: WireSettings
    local: threading.local = field(default_factory=threading.local)
    wires: list[Wire] = field(default_factory=list)

    def close(self) -> None:
        for wire in tuple(self.wires):
            with suppress(OSError):
                wire.close()


@dataclass
class Toolbox:
    """What effects are made with: Vault's documents, wires to Salesforce, keys, the login budget, the clock.

    Attributes:
        make_pair: makes a key pair, as :func:`rotator.keypairs.make_key_pair` does.
        load_key: makes what signs out of a private key, as :func:`rotator.keypairs.load_signing_key` does.
    """

    documents: Documents
    wires: Wires
    budget: LoginBudget = field(default_factory=LoginBudget)
    clock: Callable[[], datetime] = utc_now
    stations: Mapping[str, Station] = field(default_factory=dict)
    make_pair: Callable[..., KeyPair] = make_key_pair
    load_key: Callable[[Secret], RSAPrivateKey] = load_signing_key
    making: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(KEYS_MADE_AT_ONCE))
    _pairs: Recent[Name, KeyPair] = field(default_factory=lambda: Recent(PAIRS_KEPT))
    _texts: Recent[Name, Secret] = field(default_factory=lambda: Recent(TEXTS_KEPT))
    _keys: Recent[Name, RSAPrivateKey] = field(default_factory=lambda: Recent(KEYS_KEPT))

    def renewed(self, documents: Documents) -> Toolbox:
        """Return the tools with other documents. Key pairs that were read in another place are none of theirs."""
        if documents.place == self.documents.place:
            return replace(self, documents=documents)
        return replace(
            self,
            documents=documents,
            _pairs=Recent(PAIRS_KEPT),
            _texts=Recent(TEXTS_KEPT),
            _keys=Recent(KEYS_KEPT),
        )

    def key_pair(self, name: str, serial: Serial) -> KeyPair:
        """Return a key pair of a credential."""
        return self._pairs.get(self._named(name, serial), lambda: self.documents.read_key(name, serial))

    def signing_key(self, name: str, serial: Serial) -> RSAPrivateKey:
        """Return the private key of a serial, ready to sign."""

        def text() -> Secret:
            return self.documents.read_key(name, serial).private_key_pem

        named = self._named(name, serial)
        return self._keys.get(named, lambda: self.load_key(self._texts.get(named, text)))

    def _named(self, name: str, serial: Serial) -> Name:
        """Return the name of the key pair that the record speaks of.

        After a backup of Vault another daemon may have made another pair of a serial that this one has in memory.
        """
        facts = self.stations[name].record.key(serial)
        return name, serial, facts.fingerprint if facts is not None else ""

    def forget_key(self, name: str, serial: Serial | None = None) -> None:
        """Keep nothing in memory of one key pair, or of all of a credential, that may be another one by now."""
        for kept in (self._pairs, self._texts, self._keys):
            kept.drop(lambda key: key[0] == name and serial in (None, key[1]))

    def mint(self, station: Station, user: str, serial: Serial, *, fresh: bool = False) -> Grant:
        """Trade an assertion, signed with the key of ``serial``, for a token; paid from the login budget.

        Where clocks differ the org's may count, which judges ``exp``: what it refuses is signed once more by the clock
        that its answer tells. That one is gone by only once the org took what was signed by it: a Date may be wrong.
        """
        try:
            return self._mint(station, user, serial, station.signs_ahead, fresh=fresh)
        except RotatorError as error:
            judged = isinstance(error, KeyRefused) or error.code == EXPIRED
            skew = timedelta(seconds=station.skew_seconds)
            if not judged or not is_skewed((skew - station.signs_ahead).total_seconds()):
                raise
            refusal = error
        try:
            grant = self._mint(station, user, serial, skew, fresh=fresh)
        except RotatorError as error:
            raise (refusal if isinstance(refusal, KeyRefused) else error) from None
        station.signs_ahead = skew
        return grant

    def _mint(self, station: Station, user: str, serial: Serial, ahead: timedelta, *, fresh: bool) -> Grant:
        login = station.login(user)
        key = self.signing_key(station.name, serial)
        now = self.clock()
        try:
            grant = mint(self.wires(), login, key, now=now, ahead=ahead, fresh=fresh, budget=self.budget)
        except RotatorError as error:
            self._compare_clocks(station, error.date)
            raise
        self._compare_clocks(station, grant.date)
        return grant

    def _compare_clocks(self, station: Station, date: datetime | None) -> None:
        """Note how Salesforce's clock differs from ours, where an answer tells. Refusals count: a lock-out has no others."""
        if date is not None:
            station.skew_seconds = (date - self.clock()).total_seconds()

    def mint_first(
        self, station: Station, user: str, serials: Sequence[Serial], *, fresh: bool = False
    ) -> tuple[Grant, Serial]:
        """Mint with the first of some keys that the org takes. Raises KeyRefused when it takes none."""
        refusal: RotatorError | None = None
        for serial in serials:
            try:
                return self.mint(station, user, serial, fresh=fresh), serial
            except KeyRefused as error:
                refusal = error
        raise refusal or no_signer(station)

    def org(self, station: Station, grant: Grant) -> Org:
        """Return the org behind a grant, with the API version to speak."""
        if station.api_version is None:
            configured = station.config.api_version
            station.api_version = configured or newest_api_version(self.wires(), grant.instance_url)
        return Org(grant.instance_url, grant.access_token, station.api_version)


def no_signer(station: Station) -> Misconfigured:
    """Return the error that a credential has no key pair that signs."""
    return Misconfigured(
        f"{station.name} has no key pair that signs (it is {station.record.phase.words})",
        code="key.none",
        hint=f"Give it one: rotator init {station.name}, or rotator adopt {station.name}.",
    )


def is_about_document(error: RotatorError) -> bool:
    """Tell whether an error speaks of one document in Vault, and not of Vault as a whole."""
    return error.code.startswith(("vault.document.", "vault.key."))


def answer_to(error: RotatorError, at: datetime) -> Answer:
    """Return the answer that an unexpected error stands for.

    Some refusals pass by themselves while a change of the app spreads.
    """
    return Answer(
        Kind.UNKNOWN if error.maybe_done else Kind.FAILED,
        at,
        code=error.code,
        message=error.message,
        hint=error.hint,
        lasting=isinstance(error, Misconfigured),
        passing=error.code in GRACE_CODES,
        not_before=retry_at(error, at),
    )


def refused(error: RotatorError, at: datetime, message: str = "") -> Answer:
    """Return the answer that a refusal stands for."""
    return Answer(Kind.REFUSED, at, code=error.code, message=message or error.message, hint=error.hint)
