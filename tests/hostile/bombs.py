"""Small or plain input that could take gigabytes or hours, set off in a process of its own.

``python -m tests.hostile.bombs NAME...`` or ``... salesforce|vault URL...`` prints for each the code of the error, and
by how many megabytes the process grew at its peak (Linux: VmHWM of proc_pid_status(5)). One that takes more than a minute
of CPU kills it.
"""

from __future__ import annotations

import bz2
import io
import json
import resource
import sys
import tempfile
import zipfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from rotator.config import load
from rotator.errors import RotatorError
from rotator.keypairs import adopt_key_pair
from rotator.salesforce import appxml, rest, soap
from rotator.salesforce.http import Wire, WireSettings
from rotator.salesforce.packages import unzipped
from rotator.vault.client import VaultClient
from rotator.vault.codec import RECORD
from rotator.vault.settings import Token, VaultSettings
from tests.hostile.canned import ORG, CannedWire
from tests.hostile.targets import example
from tests.hostile.verdict import told

MOST_CPU_SECONDS = 60
READ_TIMEOUT_SECONDS = 30.0  # what ends an answer here is how long it is, not how long it takes

Fuse = Callable[[], Any]


# -- prepared here ------------------------------------------------------------------------------------------------


def configuration(text: str) -> Fuse:
    file = Path(tempfile.mkdtemp()) / "rotator.yaml"
    file.write_text(text)
    return lambda: load(file)


def laughs() -> Fuse:
    """A list of lists of lists ..., by aliases: 9^20 values."""
    letters = "abcdefghijklmnopqrstu"
    lines = [f"{one}: &{one} [{', '.join([f'*{before}'] * 9)}]" for before, one in pairwise(letters)]
    return configuration("\n".join(["a: &a [x, x, x]", *lines]))


def deflated(content: bytes, count: int = 1, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for number in range(count):
            archive.writestr(f"{number}", content)
    return buffer.getvalue()


def zip_of_death() -> Fuse:
    """A gigabyte in a megabyte; the directory says that it is one byte."""
    data = bytearray(deflated(bytes(64 << 20), 16))
    for sign, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = data.find(sign)
        while at >= 0:
            data[at + offset : at + offset + 4] = b"\1\0\0\0"
            at = data.find(sign, at + 4)
    return lambda: unzipped(bytes(data))


def zip_of_other_kind() -> Fuse:
    """A method that unpacks all at once: 300 MB in some hundred bytes."""
    data = deflated(bytes(300 << 20), method=zipfile.ZIP_BZIP2)
    assert len(data) < len(bz2.compress(b"")) + 1000
    return lambda: unzipped(data)


def zip_of_many() -> Fuse:
    data = deflated(b"", 100_000)
    return lambda: unzipped(data)


def metadata_file(inner: str, attributes: str = "", before: str = "") -> Fuse:
    xml = f'{before}<a xmlns="{appxml.NAMESPACE}"{attributes}>{inner}</a>'.encode()
    return lambda: appxml.elements(xml)


def entities() -> str:
    """The billion laughs."""
    more = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 11))
    return f'<!DOCTYPE a [<!ENTITY e0 "ha">{more}]>'


def names() -> tuple[str, str]:
    """A long namespace, and many attributes in it: expat writes it out for each."""
    return "", f' xmlns:p="{"u" * 400_000}"' + "".join(f" p:a{n}=''" for n in range(19_000))


def soap_answer(body: str) -> Fuse:
    envelope = (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/">'
        f"<e:Body><r><result>{body}</result></r></e:Body></e:Envelope>"
    ).encode()
    return lambda: soap.check_retrieve(CannedWire(envelope), ORG, "09S000000000001")


def json_answer(body: str) -> Fuse:
    return lambda: rest.query_accounts(CannedWire(body.encode()), ORG)


def description() -> Fuse:
    """The longest answer in JSON that is read, of the smallest values that there are."""
    wire = CannedWire(b"[" + b"[]," * 5_000_000 + b"0]")
    return lambda: rest.get_account_resource(wire, ORG)


def mistakes() -> Fuse:
    """A record with a million values that are wrong, each of which could be a mistake of its own."""
    document = {**json.loads(example("record", "steady.json")), "keys": [0] * 1_000_000}
    return lambda: RECORD.decode(document, "salesforce/acme/record")


def long_key() -> Fuse:
    """A key whose checks take minutes: of 8,676 bits, both factors of which are known primes."""
    p, q, e = 2**4423 - 1, 2**4253 - 1, 65537
    d = pow(e, -1, (p - 1) * (q - 1))
    body = b"".join(_integer(n) for n in (0, p * q, e, d, p, q, d % (p - 1), d % (q - 1), pow(q, -1, p)))
    key = b"\x30" + _length(len(body)) + body
    return lambda: adopt_key_pair(key, example("certificate", "own.pem"))


def _integer(number: int) -> bytes:
    content = number.to_bytes(number.bit_length() // 8 + 1, "big")
    return b"\x02" + _length(len(content)) + content


def _length(size: int) -> bytes:
    content = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([size]) if size < 0x80 else bytes([0x80 | len(content)]) + content


PARSED: dict[str, tuple[Callable[[], Fuse], str]] = {
    "YAML aliases": (laughs, "config.mistakes"),
    "YAML list": (lambda: configuration("a:\n" + "- x\n" * 4_000_000), "config.mistakes"),
    "YAML keys": (lambda: configuration("a: 1\n" * 3_000_000), "config.mistakes"),
    "YAML depth": (lambda: configuration("[" * 16_000_000), "config.mistakes"),
    "YAML long key": (lambda: configuration(f"? {'k' * 15_000_000}\n: 1\n"), "config.mistakes"),
    "zip of death": (zip_of_death, "salesforce.metadata.bad_archive"),
    "zip of another kind": (zip_of_other_kind, "salesforce.metadata.bad_archive"),
    "zip of many files": (zip_of_many, "salesforce.metadata.bad_archive"),
    "XML entities": (lambda: metadata_file("&e10;", before=entities()), "salesforce.metadata.unsafe"),
    "XML depth": (lambda: metadata_file("<b>" * 200_000), "salesforce.metadata.unsafe"),
    "XML names": (lambda: metadata_file(*names()), "salesforce.metadata.unsafe"),
    "SOAP elements": (lambda: soap_answer("<b/>" * 5_000_000), "salesforce.soap.unreadable"),
    "SOAP depth": (lambda: soap_answer("<b>" * 3_000_000), "salesforce.soap.unreadable"),
    "JSON depth": (lambda: json_answer("[" * 900_000), "salesforce.not_json"),
    "JSON values": (lambda: json_answer("[" + "[]," * 300_000 + "0]"), "salesforce.unreadable"),
    "JSON description": (description, "salesforce.too_long"),
    "record of mistakes": (mistakes, "vault.document.malformed"),
    "long key": (long_key, "key.too_long"),
}
"""What is set off, and the code of the error that it ends with."""


# -- answered by a server -----------------------------------------------------------------------------------------


def salesforce(url: str) -> Fuse:
    wire = Wire(WireSettings(read_timeout_seconds=READ_TIMEOUT_SECONDS))
    return lambda: wire.send("GET", f"{url}/services/data")


def vault(url: str) -> Fuse:
    token = Path(tempfile.mkdtemp()) / "token"
    token.write_text("s.token")
    client = VaultClient(VaultSettings(url, Token(token), timeout_seconds=READ_TIMEOUT_SECONDS))
    return client.health


ASKED: dict[str, Callable[[str], Fuse]] = {"salesforce": salesforce, "vault": vault}


def main(*arguments: str) -> None:
    """Set off the bombs that are named, or what the servers at some addresses answer, one after the other."""
    asked, urls = (arguments[0], arguments[1:]) if arguments[0] in ASKED else ("", ())
    for argument in urls or arguments:
        fuse = ASKED[asked](argument) if asked else PARSED[argument][0]()
        _limit_time()
        Path("/proc/self/clear_refs").write_text("5")  # VmHWM begins anew
        before = _kilobytes("VmRSS")
        outcome = told(fuse)
        grown = (_kilobytes("VmHWM") - before) // 1024
        code = outcome.code if isinstance(outcome, RotatorError) else f"no error: {outcome!r:.100}"
        print(json.dumps({"set_off": argument, "code": code, "grown_megabytes": grown}), flush=True)


def _limit_time() -> None:
    spent = resource.getrusage(resource.RUSAGE_SELF)
    limit = round(spent.ru_utime + spent.ru_stime) + MOST_CPU_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _kilobytes(name: str) -> int:
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith(f"{name}:")))


if __name__ == "__main__":
    main(*sys.argv[1:])
