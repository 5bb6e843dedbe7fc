"""A metadata file is changed in one place, and every other byte stays as it was."""

from __future__ import annotations

import base64
import io
import re
import struct
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rotator.errors import Misconfigured, Rejected
from rotator.salesforce import appxml
from rotator.salesforce.appfiles import App, AppFiles, AppKind, select
from rotator.salesforce.packages import manifest, read_directory, unzipped, zipped

NAMESPACE = 'xmlns="http://soap.sforce.com/2006/04/metadata"'
ECA = App(AppKind.EXTERNAL_CLIENT_APP, "Acme", "3MVGacme")
CONNECTED = App(AppKind.CONNECTED_APP, "Acme", "3MVGacme")

OLD = """-----BEGIN CERTIFICATE-----
MIIBfzCCASmgAwIBAgIUYl0zZrM8Zg3Yx6Jt0b0m0Yl0ZrMwDQYJKoZIhvcNAQEL
-----END CERTIFICATE-----"""


@pytest.fixture(scope="session")
def pem() -> str:
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key, name, now = rsa.generate_private_key(65537, 2048), x509.Name([]), datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def body_of(pem: str) -> str:
    return "".join(line for line in pem.splitlines() if not line.startswith("-"))


def global_oauth(inner: str) -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<ExtlClntAppGlobalOauthSettings {NAMESPACE}>\n{inner}\n'
        "    <externalClientApplication>Acme</externalClientApplication>\n</ExtlClntAppGlobalOauthSettings>\n"
    ).encode()


def eca(inner: str) -> AppFiles:
    files = {
        "externalClientApps/Acme.eca": f"<ExternalClientApplication {NAMESPACE}/>".encode(),
        "extlClntAppGlobalOauthSets/x_Glbl.ecaGlblOauth": global_oauth(inner),
        "extlClntAppOauthSettings/y.ecaOauth": (
            f"<ExtlClntAppOauthSettings {NAMESPACE}><externalClientApplication>Acme</externalClientApplication>"
            "</ExtlClntAppOauthSettings>"
        ).encode(),
    }
    return select(ECA, files, "66.0")


def connected(inner: str, more: str = "") -> AppFiles:
    text = f"<ConnectedApp {NAMESPACE}>\n  <oauthConfig>{inner}</oauthConfig>\n{more}</ConnectedApp>"
    return select(CONNECTED, {"connectedApps/Acme.connectedApp": text.encode()}, "66.0")


def slot(files: AppFiles) -> bytes:
    return next(xml for path, xml in files.files.items() if "Glbl" in path or path.endswith("connectedApp"))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<certificate>{old}</certificate>", "<certificate>{pem}</certificate>"),
        ("<certificate>\n{old}\n</certificate>", "<certificate>{pem}</certificate>"),
        ("<certificate>MIIDbare</certificate>", "<certificate>{bare}</certificate>"),
        ("<certificate>MIID\r\nbare</certificate>", "<certificate>{bare}</certificate>"),
        ("<certificate></certificate>", "<certificate>{pem}</certificate>"),
        ("<certificate/>", "<certificate>{pem}</certificate>"),
        ("<certificate  />", "<certificate>{pem}</certificate>"),
        ("<certificate >MIID</certificate >", "<certificate >{bare}</certificate >"),
        ("<certificate a='>'>MIID</certificate>", "<certificate a='>'>{bare}</certificate>"),
        ("<certificate><![CDATA[MIID]]></certificate>", "<certificate>{bare}</certificate>"),
        ("<!-- <certificate>no</certificate> --><certificate>MIID</certificate>",
         "<!-- <certificate>no</certificate> --><certificate>{bare}</certificate>"),
        ("<x><![CDATA[<certificate>no</certificate>]]></x><certificate>MIID</certificate>",
         "<x><![CDATA[<certificate>no</certificate>]]></x><certificate>{bare}</certificate>"),
        ("<idTokenConfig><certificate>other</certificate></idTokenConfig><certificate>MIID</certificate>",
         "<idTokenConfig><certificate>other</certificate></idTokenConfig><certificate>{bare}</certificate>"),
        ("<isNew>äöü \U0001f511</isNew>\r\n\t<certificate>MIID</certificate>",
         "<isNew>äöü \U0001f511</isNew>\r\n\t<certificate>{bare}</certificate>"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("make", [eca, connected])
def test_the_certificate_is_replaced_in_its_own_form_and_place(make, pem, before, after):
    values = {"old": OLD, "pem": pem.strip(), "bare": body_of(pem)}
    files, expected = make(before.format(**values)), make(after.format(**values))
    assert slot(files.with_certificate(pem)) == slot(expected)


def test_a_prefix_of_the_namespace_is_kept(pem):
    xml = (
        b'\xef\xbb\xbf<?xml version="1.0"?><m:ConnectedApp xmlns:m="http://soap.sforce.com/2006/04/metadata">'
        b"<m:oauthConfig><m:certificate/></m:oauthConfig></m:ConnectedApp>"
    )
    files = select(CONNECTED, {"connectedApps/Acme.connectedApp": xml}, "66.0").with_certificate(pem)
    assert slot(files) == xml.replace(
        b"<m:certificate/>", f"<m:certificate>{pem.strip()}</m:certificate>".encode()
    )


_NAMES = st.from_regex(r"is[A-Z][A-Za-z0-9]{0,8}", fullmatch=True)
_TEXTS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=30).map(
    lambda text: text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
)
_PLAIN = st.builds("<{0}>{1}</{0}>".format, _NAMES, _TEXTS)
_NESTED = st.builds("<{0}>\n\t{1}{2}</{0}>".format, _NAMES, _PLAIN, _PLAIN)
_COMMENT = _TEXTS.map(lambda text: f"<!--{text.replace('-', ' ')}-->")
_CDATA = st.builds("<{0}><![CDATA[{1}]]></{0}>".format, _NAMES, st.just("<certificate>&x;</certificate>"))
_PIECES = st.lists(
    st.one_of(_PLAIN, _NESTED, _COMMENT, _CDATA, st.sampled_from(["\n    ", "\r\n", "\t", "<e/>"]))
)


@settings(max_examples=150)
@given(before=_PIECES, after=_PIECES, old=st.sampled_from(["", "MIID", OLD]))
def test_only_the_certificate_differs_whatever_else_the_file_holds(pem, before, after, old):
    left, right = "".join(before), "".join(after)
    files = eca(f"{left}<certificate>{old}</certificate>{right}")
    changed = files.with_certificate(pem)
    found = re.fullmatch(rb"(.*<certificate>)([A-Za-z0-9+/=\s-]*)(</certificate>.*)", slot(files), re.DOTALL)
    assert found is not None
    assert slot(changed) in {
        slot(files)[: at.start()]
        + b"<certificate>"
        + text.encode()
        + b"</certificate>"
        + slot(files)[at.end() :]
        for at in re.finditer(rb"<certificate>[A-Za-z0-9+/=\s-]*</certificate>", slot(files))
        for text in (pem.strip(), body_of(pem))
    }
    assert changed.certificate_der() == base64.b64decode(body_of(pem))
    assert {p: x for p, x in changed.files.items() if "Glbl" not in p} == {
        p: x for p, x in files.files.items() if "Glbl" not in p
    }


def test_consumer_key_and_secret_of_a_connected_app_are_left_out(pem):
    files = connected(
        "\n    <callbackUrl>x</callbackUrl>\n    <certificate>MIID</certificate>\n"
        "    <consumerKey>3MVGacme</consumerKey>\n    <consumerSecret>s3cret</consumerSecret>\n    <scopes>Api</scopes>"
    )
    expected = connected(
        f"\n    <callbackUrl>x</callbackUrl>\n    <certificate>{body_of(pem)}</certificate>\n    <scopes>Api</scopes>"
    )
    assert slot(files.with_certificate(pem)) == slot(expected)


def test_the_consumer_key_of_an_external_client_app_stays(pem):
    inner = (
        "<certificate>MIID</certificate><consumerKey>3MVGacme</consumerKey><consumerSecret>s</consumerSecret>"
    )
    changed = eca(inner).with_certificate(pem)
    assert slot(changed) == slot(eca(inner.replace("MIID", body_of(pem))))


@pytest.mark.parametrize(
    ("files", "code"),
    [
        (eca(""), "no_certificate"),
        (connected(""), "no_certificate"),
        (eca("<idTokenConfig><certificate>MIID</certificate></idTokenConfig>"), "no_certificate"),
        (eca("<certificate>a</certificate><certificate>b</certificate>"), "unsafe"),
        (eca("<certificate><x/></certificate>"), "unsafe"),
        (eca("<certificate>a<!-- b --></certificate>"), "unsafe"),
        (eca("<certificate>a<?b c?></certificate>"), "unsafe"),
        (
            eca('<certificate xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"/>'),
            "unsafe",
        ),
        (eca("<certificate/><shouldRotateConsumerKey>true</shouldRotateConsumerKey>"), "rotates_consumer"),
        (
            eca("<certificate/><shouldRotateConsumerSecret> 1 </shouldRotateConsumerSecret>"),
            "rotates_consumer",
        ),
        (eca("<certificate/><consumerKey>3MVGother</consumerKey>"), "other_consumer_key"),
        (connected("<certificate/><consumerKey>3MVGother</consumerKey>"), "other_consumer_key"),
        (connected("<certificate/>", "<permissionSetName/>"), "ends_preauthorisation"),
        (connected("<certificate/>", "<profileName> </profileName>"), "ends_preauthorisation"),
    ],
)
def test_files_whose_deploy_would_change_anything_else_are_refused(files, code, pem):
    with pytest.raises(Rejected) as refused:
        files.with_certificate(pem)
    assert refused.value.code == f"salesforce.metadata.{code}"


@pytest.mark.parametrize("text", ["", "not a certificate", OLD, "-----BEGIN PUBLIC KEY-----"])
def test_only_a_certificate_is_put_into_the_slot(text):
    with pytest.raises(ValueError, match=r".*"):
        eca("<certificate/>").with_certificate(text)


@pytest.mark.parametrize(
    "xml",
    [
        b"",
        b"no xml",
        b"<a",
        f"<ConnectedApp {NAMESPACE}></ConnectedAp>".encode(),
        b"<ConnectedApp/>",
        b'<ConnectedApp xmlns="http://elsewhere.example"/>',
        f'<ConnectedApp {NAMESPACE}><x xmlns="http://elsewhere.example"/></ConnectedApp>'.encode(),
        f'<!DOCTYPE x [<!ENTITY e "text">]><ConnectedApp {NAMESPACE}>&e;</ConnectedApp>'.encode(),
        f'<!DOCTYPE x SYSTEM "file:///etc/passwd"><ConnectedApp {NAMESPACE}/>'.encode(),
        f"<ConnectedApp {NAMESPACE}>&unknown;</ConnectedApp>".encode(),
        f'<?xml version="1.0" encoding="ISO-8859-1"?><ConnectedApp {NAMESPACE}/>'.encode(),
        f'<?xml version="1.0" encoding="UTF-16"?><ConnectedApp {NAMESPACE}/>'.encode("utf-16"),
        f"<ConnectedApp {NAMESPACE}>\xff</ConnectedApp>".encode("latin-1"),
        b" " * (appxml.MOST_BYTES + 1),
    ],
)
def test_xml_that_can_not_be_read_safely_is_refused(xml):
    with pytest.raises(Rejected):
        appxml.elements(xml)


def nested(depth: int) -> bytes:
    """A file with so many elements, each in the one before."""
    root = f"<ConnectedApp {NAMESPACE}>" + "<a>" * (depth - 1)
    return (root + "</a>" * (depth - 1) + "</ConnectedApp>").encode()


def test_elements_are_nested_as_deeply_as_no_metadata_file_does_and_no_deeper():
    deepest = appxml.elements(nested(appxml.MOST_DEPTH))[-1]
    assert deepest.path == ("ConnectedApp", *["a"] * (appxml.MOST_DEPTH - 1))
    with pytest.raises(Rejected, match="64 deep") as refused:
        appxml.elements(nested(appxml.MOST_DEPTH + 1))
    assert refused.value.code == "salesforce.metadata.unsafe"


@pytest.mark.parametrize(
    "xml", [nested(4_000), connected("<x/>" * 250_000).files["connectedApps/Acme.connectedApp"]]
)
def test_a_file_takes_no_more_memory_than_it_is_worth(xml):
    tracemalloc.start()
    try:
        with pytest.raises(Rejected):
            appxml.elements(xml)
        assert tracemalloc.get_traced_memory()[1] < 24 << 20
    finally:
        tracemalloc.stop()


# --- the files of one app out of many --------------------------------------------------------------


def test_components_are_found_by_the_app_that_they_name():
    files = {
        "unpackaged/externalClientApps/Acme.eca": b"<x/>",
        "unpackaged/externalClientApps/Acme_2.eca": b"<y/>",
        "unpackaged/extlClntAppGlobalOauthSets/zz.ecaGlblOauth": global_oauth(""),
        "unpackaged/extlClntAppGlobalOauthSets/Acme_glbloauth.ecaGlblOauth": global_oauth("").replace(
            b">Acme<", b">Acme_2<"
        ),
        "unpackaged/extlClntAppOauthSettings/y.ecaOauth": global_oauth(""),
        "unpackaged/extlClntAppOauthPolicies/p.ecaOauthPlcy": global_oauth(""),
        "unpackaged/package.xml": b"",
    }
    assert set(select(ECA, files, "66.0").files) == {
        "externalClientApps/Acme.eca",
        "extlClntAppGlobalOauthSets/zz.ecaGlblOauth",
        "extlClntAppOauthSettings/y.ecaOauth",
    }


@pytest.mark.parametrize("missing", ["eca", "ecaGlblOauth", "ecaOauth"])
def test_an_app_of_which_a_part_is_missing_is_not_deployed(missing):
    whole = eca("").files
    with pytest.raises(Misconfigured):
        select(ECA, {path: xml for path, xml in whole.items() if not path.endswith(f".{missing}")}, "66.0")


def test_two_settings_that_name_the_app_are_one_too_many():
    files = {**eca("").files, "extlClntAppGlobalOauthSets/other.ecaGlblOauth": global_oauth("")}
    with pytest.raises(Misconfigured, match="2 metadata file"):
        select(ECA, files, "66.0")


def test_two_copies_of_a_file_are_one_too_many_and_both_are_named(tmp_path: Path):
    copies = ["one/connectedApps/Acme.connectedApp", "two/connectedApps/Acme.connectedApp-meta.xml"]
    for copy in copies:
        file = tmp_path / copy
        file.parent.mkdir(parents=True)
        file.write_bytes(slot(connected("<certificate/>")))
    other = tmp_path / "two/connectedApps/Other.connectedApp"
    other.write_bytes(b"<x/>")
    with pytest.raises(Misconfigured) as told:
        select(CONNECTED, read_directory(tmp_path)[0], "66.0")
    assert told.value.code == "salesforce.metadata.incomplete"
    assert all(copy in told.value.message for copy in copies)
    assert "Other" not in told.value.message
    (tmp_path / copies[1]).unlink()
    assert select(CONNECTED, read_directory(tmp_path)[0], "66.0").files == connected("<certificate/>").files


def test_the_package_names_every_file_and_its_version(pem):
    package = unzipped(eca("<certificate/>").with_certificate(pem).package())
    assert set(package) == {"package.xml", *eca("").files}
    manifest_text = package["package.xml"].decode()
    assert manifest_text.count("<members>") == 3
    assert "<members>x_Glbl</members>\n        <name>ExtlClntAppGlobalOauthSettings</name>" in manifest_text
    assert "<version>66.0</version>" in manifest_text


def test_the_same_files_make_the_same_package():
    files = eca("<certificate/>")
    assert files.package() == files.package()


def test_names_in_a_manifest_are_escaped():
    assert b"<members>A&amp;B</members>" in manifest({"ConnectedApp": ["A&B"]}, "66.0")


def test_the_files_and_what_they_hold_are_not_shown():
    shown = repr(eca("<certificate/><consumerSecret>s3cret</consumerSecret>"))
    assert "s3cret" not in shown


# --- archives --------------------------------------------------------------------------------------


def test_a_zip_gives_back_what_was_put_in():
    assert unzipped(zipped({"a/b.c": b"1", "d": b""})) == {"a/b.c": b"1", "d": b""}


def _bomb(size: int) -> bytes:
    return zipped({"bomb": b"\0" * size})


def _lying(archive: bytes) -> bytes:
    """The same zip, whose directory says that every file is 10 bytes long."""
    at = archive.index(b"PK\x01\x02")
    return archive[: at + 24] + struct.pack("<I", 10) + archive[at + 28 :]


def _wrong_sum(archive: bytes) -> bytes:
    at = archive.index(b"PK\x01\x02")
    return archive[: at + 16] + b"\x00\x01\x02\x03" + archive[at + 20 :]


def _encrypted(archive: bytes) -> bytes:
    at = archive.index(b"PK\x01\x02")
    return archive[: at + 8] + b"\x01\x00" + archive[at + 10 :]


def _many() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(2_001):
            archive.writestr(f"{number}", b"")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "archive",
    [
        b"",
        b"PK",
        b"no zip at all",
        zipped({"a": b"text" * 100})[:60],
        _wrong_sum(zipped({"a": b"text"})),
        _bomb(17 << 20),
        _lying(_bomb(17 << 20)),
        _encrypted(zipped({"a": b"b"})),
        _many(),
    ],
    ids=["empty", "cut", "text", "half", "broken", "bomb", "lying bomb", "encrypted", "too many"],
)
def test_an_archive_that_is_broken_or_too_large_is_refused(archive):
    with pytest.raises(Rejected):
        unzipped(archive)


def test_a_bomb_is_not_unpacked_to_find_out_how_large_it_is():
    bomb = _lying(_bomb(128 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(Rejected):
            unzipped(bomb)
        assert tracemalloc.get_traced_memory()[1] < 80 << 20
    finally:
        tracemalloc.stop()


# --- folders ---------------------------------------------------------------------------------------


def test_a_folder_is_read_in_the_form_of_the_metadata_api_and_of_a_dx_project(tmp_path: Path):
    for suffix in ("", "-meta.xml"):
        folder = tmp_path / f"project{suffix}"
        for path, xml in eca("").files.items():
            file = folder / "force-app" / f"{path}{suffix}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(xml)
        (folder / "README.md").write_text("not metadata")
        files, version = read_directory(folder)
        assert version is None
        assert select(ECA, files, "66.0").files == eca("").files


def test_the_version_of_a_folder_is_that_of_its_manifest(tmp_path: Path):
    (tmp_path / "package.xml").write_bytes(manifest({}, "61.0"))
    assert read_directory(tmp_path) == ({}, "61.0")


def test_a_folder_that_holds_too_much_is_refused(tmp_path: Path):
    (tmp_path / "connectedApps").mkdir()
    (tmp_path / "connectedApps" / "A.connectedApp").write_bytes(b" " * (17 << 20))
    with pytest.raises(Misconfigured):
        read_directory(tmp_path)
