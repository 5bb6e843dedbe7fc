"""A client of the simulated org that shares no code with rotator's adapters."""

from __future__ import annotations

import base64
import io
import json
import re
import threading
import zipfile
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID
from defusedxml import ElementTree
from werkzeug.test import Client

from rotator.sandbox.org.seed import ACME, DEPLOYER, GLOBEX, USERS
from rotator.sandbox.org.server import org_app
from rotator.sandbox.org.weather import Weather

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
START = datetime(2026, 11, 1, 12, tzinfo=UTC)
NAMESPACE = "http://soap.sforce.com/2006/04/metadata"
SOAP_NAMESPACE = "http://schemas.xmlsoap.org/soap/envelope/"
CERTIFICATE = re.compile(r"\s*<certificate>.*?</certificate>", re.DOTALL)


class Pair:
    """A private key and its certificate."""

    def __init__(self, name, key=None):
        self.key = key or rsa.generate_private_key(public_exponent=65537, key_size=2048)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = x509.CertificateBuilder(
            subject, subject, self.key.public_key(), 1, START, START + timedelta(days=365)
        )
        certificate = builder.sign(self.key, hashes.SHA256())
        self.pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
        self.base64 = base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()
        self.fingerprint = certificate.fingerprint(hashes.SHA256()).hex()


class FakeClock:
    def __init__(self):
        self.now = START

    def __call__(self):
        return self.now

    def pass_seconds(self, seconds):
        self.now += timedelta(seconds=seconds)


def encoded(content):
    content = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def signed_jwt(header, claims, key):
    text = f"{encoded(header)}.{encoded(claims)}"
    return f"{text}.{encoded(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


class Sandbox:
    """Calls one org in process, as a client on the wire would."""

    def __init__(self, org, clock, old, new):
        self.org, self.clock, self.old, self.new = org, clock, old, new
        org.instance_url = "https://acme.my.salesforce.example"
        self._client = Client(Weather(org, org_app(org), threading.Event()))

    def call(self, method, path, *, token="", address="127.0.0.1", **more):
        headers = dict(more.pop("headers", {}))
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return self._client.open(
            path, method=method, headers=headers, environ_base={"REMOTE_ADDR": address}, **more
        )

    def claims(self, app=ACME, **changed):
        claims = {
            "iss": self.org.app(app).consumer_key,
            "sub": USERS[app][0],
            "aud": "https://login.salesforce.com",
            "exp": int(self.org.clock.wall().timestamp()) + 120,
        } | changed
        return {name: value for name, value in claims.items() if value is not None}

    def assertion(self, app=ACME, key=None, header=None, **changed):
        return signed_jwt(header or {"alg": "RS256"}, self.claims(app, **changed), key or self.old.key)

    def post_assertion(self, assertion, address="127.0.0.1"):
        form = {"grant_type": JWT_BEARER, "assertion": assertion}
        return self.call("POST", "/services/oauth2/token", data=form, address=address)

    def mint(self, app=ACME, key=None, address="127.0.0.1", **changed):
        return self.post_assertion(self.assertion(app, key, **changed), address)

    def token(self, app=ACME, key=None, **changed):
        reply = self.mint(app, key, **changed)
        assert reply.status_code == 200, reply.text
        return reply.json["access_token"]

    def refusal(self, reply):
        assert reply.status_code == 400, reply.text
        return reply.json["error"], reply.json["error_description"]

    def takes(self, pair, app=ACME):
        return self.mint(app, pair.key).status_code == 200

    def query(self, text, token, *, tooling=False, address="127.0.0.1", **more):
        path = f"/services/data/v68.0/{'tooling/' if tooling else ''}query"
        return self.call("GET", path, token=token, address=address, query_string={"q": text, **more})

    def works(self, token, address="127.0.0.1"):
        return self.query("SELECT Id FROM Account LIMIT 1", token, address=address).status_code == 200

    # --- metadata -----------------------------------------------------------------------------

    def soap(self, operation, token, version="68.0", *, envelope=SOAP_NAMESPACE, namespace=NAMESPACE):
        body = (
            f'<soapenv:Envelope xmlns:soapenv="{envelope}"'
            f' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns="{namespace}"><soapenv:Header><SessionHeader>'
            f"<sessionId>{token}</sessionId></SessionHeader></soapenv:Header><soapenv:Body>{operation}</soapenv:Body>"
            "</soapenv:Envelope>"
        )
        headers = {"Content-Type": "text/xml", "SOAPAction": '""'}
        return self.call("POST", f"/services/Soap/m/{version}", data=body, headers=headers)

    def retrieve(self, wanted, token, version="68.0", single="true"):
        """The files of a retrieve: path to text."""
        types = "".join(
            f"<types><members>{name}</members><name>{kind}</name></types>" for kind, name in wanted
        )
        begun = self.soap(
            f"<retrieve><retrieveRequest><apiVersion>{version}</apiVersion><singlePackage>{single}</singlePackage>"
            f"<unpackaged>{types}<version>{version}</version></unpackaged></retrieveRequest></retrieve>",
            token,
            version,
        )
        number = re.search("<id>(.*?)</id>", begun.text)[1]
        reply = self.soap(
            f"<checkRetrieveStatus><asyncProcessId>{number}</asyncProcessId></checkRetrieveStatus>",
            token,
            version,
        )
        result = ElementTree.fromstring(reply.text).find(f".//{{{NAMESPACE}}}result")
        with zipfile.ZipFile(
            io.BytesIO(base64.b64decode(result.findtext(f"{{{NAMESPACE}}}zipFile")))
        ) as archive:
            return {name: archive.read(name).decode() for name in archive.namelist()}

    def acme_files(self, certificate=None):
        """The three files of Rotator_Acme, retrieved, with another certificate put in."""
        wanted = [
            ("ExternalClientApplication", ACME),
            ("ExtlClntAppGlobalOauthSettings", "*"),
            ("ExtlClntAppOauthSettings", "*"),
        ]
        files = self.retrieve(wanted, self.deployer)
        if certificate is not None:
            files = {path: text.replace(self.old.base64, certificate) for path, text in files.items()}
        return files

    def globex_files(self, certificate=None):
        """The file of Rotator_Globex, its consumer key left out, with another certificate put in."""
        files = self.retrieve([("ConnectedApp", GLOBEX)], self.deployer)
        files = {path: re.sub(r"\s*<consumerKey>.*?</consumerKey>", "", text) for path, text in files.items()}
        if certificate is not None:
            files = {path: text.replace(self.old.base64, certificate) for path, text in files.items()}
        return files

    def files_without_certificate(self, app):
        """The files of an app as somebody deploys them who forgets the certificate."""
        files = self.acme_files() if app == ACME else self.globex_files()
        return {path: CERTIFICATE.sub("", text) for path, text in files.items()}

    def fresh_app_files(self, *, certificate=True):
        """Five files of an app Fresh: no rotation, no org-specific elements, policies included."""
        kinds = ["ExternalClientApplication", "ExtlClntAppGlobalOauthSettings", "ExtlClntAppOauthSettings",
                 "ExtlClntAppOauthConfigurablePolicies", "ExtlClntAppConfigurablePolicies"]  # fmt: skip
        files = self.retrieve([(kind, "*") for kind in kinds], self.deployer)
        clean = r"\s*<(consumerKey|consumerSecret|orgScopedExternalApp|oauthLink)>.*?</\1>"
        fresh = {
            path.replace(ACME, "Fresh"): re.sub(clean, "", text).replace(ACME, "Fresh")
            for path, text in files.items()
        }
        return fresh if certificate else {path: CERTIFICATE.sub("", text) for path, text in fresh.items()}

    @property
    def deployer(self):
        return self.token(DEPLOYER)

    def post_deploy(self, files, *, token=None, version="68.0", part="json", **options):
        wanted = {"deployOptions": {"rollbackOnError": True, "singlePackage": True} | options}
        data = {
            "file": (io.BytesIO(zip_of(files)), "package.zip", "application/zip"),
            part: (io.BytesIO(json.dumps(wanted).encode()), None, "application/json"),
        }
        path = f"/services/data/v{version}/metadata/deployRequest"
        return self.call("POST", path, token=token or self.deployer, data=data)

    def deploy_result(self, deploy_id, token=None):
        path = f"/services/data/v68.0/metadata/deployRequest/{deploy_id}?includeDetails=true"
        reply = self.call("GET", path, token=token or self.deployer)
        assert reply.status_code == 200, reply.text
        return reply.json["deployResult"]

    def deploy(self, files, **more):
        """Deploy and read the result."""
        reply = self.post_deploy(files, **more)
        assert reply.status_code == 201, reply.text
        return self.deploy_result(reply.json["id"])

    def problems(self, files, **more):
        """What a deploy fails for."""
        return [failure["problem"] for failure in self.deploy(files, **more)["details"]["componentFailures"]]


def changed(files, path, old, new):
    """Metadata files of which one has something else in the place of what was there."""
    assert re.search(old, files[path], re.DOTALL), files[path]
    return files | {path: re.sub(old, new, files[path], flags=re.DOTALL)}


def zip_of(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return buffer.getvalue()
