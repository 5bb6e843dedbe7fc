"""TLS of the port: certificates that are renewed, that cannot be used, and whoever hangs in the handshake."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.client import HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives import serialization

from rotator.config.web import WebConfig, WebTls
from rotator.errors import Misconfigured
from rotator.show import logs
from rotator.web import Port, examine, server
from tests.web.conftest import PATIENCE_SECONDS, told, wire
from tests.world.bao import Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls"))


def over_tls(url: str, trust: ssl.SSLContext) -> tuple[int, str]:
    """Return the status of /livez, and the serial number of the certificate that was shown."""
    wire = HTTPSConnection("127.0.0.1", urlsplit(url).port, timeout=PATIENCE_SECONDS, context=trust)
    try:
        wire.connect()
        serial = wire.sock.getpeercert()["serialNumber"]
        wire.request("GET", "/livez")
        return wire.getresponse().status, serial
    finally:
        wire.close()


@contextmanager
def renewable(fleet, authority) -> Iterator[tuple[Port, list[float], list[dict], WebConfig, str]]:
    """Serve with TLS: the port, the time in seconds, what is told, the configuration, and where."""
    now, files = [0.0], authority.issue("127.0.0.1")
    config = WebConfig(listen="127.0.0.1:0", tls=WebTls(certificate=files[0], key=files[1]))
    with logs.capture() as lines, Port(lambda: now[0]) as port:
        port.show(fleet.look, fleet.is_alive)
        port.serve(config)
        (url,) = [line["url"] for line in lines if line["event"] == "web.listening"]
        yield port, now, lines, config, url
    assert len([line for line in lines if line["event"] == "web.listening"]) == 1


def test_it_speaks_tls_and_shows_a_new_certificate_at_once_when_the_configuration_is_read_again(
    fleet, authority
):
    with renewable(fleet, authority) as (port, _now, lines, config, url):
        assert url.startswith("https://")
        status, before = over_tls(url, authority.trust)
        authority.issue("127.0.0.1")
        port.serve(config)
        assert (status, over_tls(url, authority.trust)[1] != before) == (200, True)
        port.serve(config)
        assert len(told(lines, "web.certificate_renewed")) == 1


def test_a_certificate_that_is_renewed_in_its_files_is_shown_by_itself_and_no_connection_ends(
    fleet, authority
):
    with renewable(fleet, authority) as (port, _now, lines, config, url):
        _status, before = over_tls(url, authority.trust)
        held = HTTPSConnection(
            "127.0.0.1", urlsplit(url).port, timeout=PATIENCE_SECONDS, context=authority.trust
        )
        held.request("GET", "/livez")
        assert held.getresponse().read() == b"alive\n"
        end = datetime.now(UTC).replace(microsecond=0) + timedelta(days=9)
        authority.issue("127.0.0.1", not_after=end)
        port.keep()
        assert over_tls(url, authority.trust)[1] == before, "the second of two files may be still to come"
        port.keep()
        assert over_tls(url, authority.trust)[1] != before
        (line,) = told(lines, "web.certificate_renewed")
        assert datetime.fromisoformat(line["not_after"]) == end
        held.request("GET", "/livez")
        assert held.getresponse().read() == b"alive\n"
        held.close()
        assert config.tls.certificate.exists()


def test_a_certificate_behind_a_link_is_renewed_by_turning_the_link(fleet, authority, tmp_path):
    """As Kubernetes does with a Secret, and certbot."""

    def issue(name):
        (tmp_path / name).mkdir()
        for made, link in zip(authority.issue("127.0.0.1", file=name), ("tls.crt", "tls.key"), strict=True):
            made.rename(tmp_path / name / link)
        turned = tmp_path / "turned"
        turned.symlink_to(name)
        turned.rename(tmp_path / "data")

    issue("first")
    data = tmp_path / "data"
    config = WebConfig(listen="127.0.0.1:0", tls=WebTls(certificate=data / "tls.crt", key=data / "tls.key"))
    with logs.capture() as lines, Port() as port:
        port.show(fleet.look, fleet.is_alive)
        port.serve(config)
        (url,) = [line["url"] for line in told(lines, "web.listening")]
        before = over_tls(url, authority.trust)
        issue("second")
        port.keep()
        port.keep()
        assert over_tls(url, authority.trust)[1] != before[1]


@pytest.mark.parametrize(
    "spoil", [lambda file: file.write_text("nonsense"), Path.unlink], ids=["nonsense", "gone"]
)
def test_files_that_cannot_be_used_are_told_once_and_what_is_shown_stays_until_they_can(
    fleet, authority, spoil
):
    with renewable(fleet, authority) as (port, now, lines, config, url):
        _status, before = over_tls(url, authority.trust)
        spoil(config.tls.certificate)
        for _ in range(6):
            port.keep()
            now[0] += 10
        (line,) = told(lines, "web.certificate_kept")
        assert line["level"] == "warning"
        assert str(config.tls.certificate) in line["error"]
        assert line["hint"]
        assert over_tls(url, authority.trust) == (200, before)
        authority.issue("127.0.0.1")
        for _ in range(3):
            port.keep()
            now[0] += 20
        assert over_tls(url, authority.trust)[1] != before
        assert len(told(lines, "web.certificate_renewed")) == 1


def test_a_certificate_that_is_half_written_when_the_configuration_is_read_again_is_not_shown_before_it_is_whole(
    fleet, authority
):
    with renewable(fleet, authority) as (port, now, lines, config, url):
        before = over_tls(url, authority.trust)
        whole = config.tls.certificate.read_text()
        config.tls.certificate.write_text(whole[: len(whole) // 2])
        port.serve(config)
        assert len(told(lines, "web.certificate_kept")) == 1
        assert over_tls(url, authority.trust) == before
        authority.issue("127.0.0.1")
        for _ in range(3):
            now[0] += 10
            port.keep()
        assert over_tls(url, authority.trust)[1] != before[1]
        assert len(told(lines, "web.certificate_renewed")) == 1
        assert not told(lines, "web.failed")


def test_whoever_hangs_in_the_handshake_or_speaks_no_tls_keeps_nobody_waiting(fleet, authority, serve):
    certificate, key = authority.issue("127.0.0.1", file="hang")
    visitor = serve(fleet, tls=WebTls(certificate=certificate, key=key))
    with wire(visitor), wire(visitor) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert over_tls(visitor.url, authority.trust)[0] == 200


def test_too_many_silent_connections_are_closed_at_once_and_the_port_answers_again(
    fleet, authority, serve, monkeypatch
):
    monkeypatch.setattr(server, "ASK_SECONDS", 0.5)
    certificate, key = authority.issue("127.0.0.1", file="many")
    visitor = serve(fleet, tls=WebTls(certificate=certificate, key=key))
    before = descriptors()
    silent = [wire(visitor) for _ in range(4 * server.MOST_WAITING)]
    try:
        most = server.MOST_WAITING + 2 * server.THREADS
        until(lambda: descriptors() - before - len(silent) <= most)
        until(lambda: answers(visitor.url, authority.trust))
    finally:
        for one in silent:
            one.close()


def until(holds: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.05)


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def answers(url: str, trust: ssl.SSLContext) -> bool:
    try:
        return over_tls(url, trust)[0] == 200
    except OSError:
        return False


def test_a_key_that_is_encrypted_is_told_and_nobody_is_asked_for_its_password(authority):
    certificate, file = authority.issue("127.0.0.1", file="locked")
    key = serialization.load_pem_private_key(file.read_bytes(), None)
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    file.write_bytes(key.private_bytes(pem, form, serialization.BestAvailableEncryption(b"secret")))
    with pytest.raises(Misconfigured, match=r"locked\.key is encrypted"):
        examine(WebConfig(tls=WebTls(certificate=certificate, key=file)))


def test_the_end_that_is_told_is_that_of_the_certificate_that_is_shown(fleet, authority):
    def ends(url):
        now[0] += 10
        wire = HTTPSConnection(
            "127.0.0.1", urlsplit(url).port, timeout=PATIENCE_SECONDS, context=authority.trust
        )
        wire.request("GET", "/metrics")
        shown = ssl.cert_time_to_seconds(wire.sock.getpeercert()["notAfter"])
        text = wire.getresponse().read().decode()
        wire.close()
        found = re.search(
            r'^rotator_tls_certificate_not_after_timestamp_seconds\{use="web"\} (.+)$', text, re.MULTILINE
        )
        return shown, float(found[1])

    with renewable(fleet, authority) as (port, now, _lines, config, url):
        first = ends(url)
        authority.issue("127.0.0.1", not_after=datetime.now(UTC) + timedelta(days=9))
        assert ends(url) == (first[0], first[0])
        port.keep()
        port.keep()
        second = ends(url)
        assert second[0] == second[1] != first[0]
        config.tls.certificate.write_text("nonsense")
        assert ends(url) == second


def test_without_tls_no_end_is_told(visitor):
    assert 'use="web"' not in visitor.get("/metrics").text


def test_a_certificate_that_does_not_go_with_its_key_is_found_beforehand(authority):
    one, other = authority.issue("127.0.0.1", file="one"), authority.issue("127.0.0.1", file="other")
    examine(WebConfig(tls=WebTls(certificate=one[0], key=one[1])))
    with pytest.raises(Misconfigured, match=r"(?i)mismatch"):
        examine(WebConfig(tls=WebTls(certificate=one[0], key=other[1])))
