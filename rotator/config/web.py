"""The section ``web``: the one port for health, metrics and the status page."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, PlainValidator, ValidationInfo, WithJsonSchema, field_validator

from rotator.config.secrets import SecretField
from rotator.config.shape import AnyUrl, FilePath, Section, mistake
from rotator.loopback import is_loopback

DEFAULT = "127.0.0.1:8791"
_HIGHEST_PORT = (1 << 16) - 1
_PLACE = re.compile(  # a label has 63 characters at most (RFC 1035, 2.3.4)
    r"(?P<host>[\w-]{1,63}(?:\.[\w-]{1,63})*|\[[0-9a-f:.]+\]):(?P<port>\d{1,5})", re.ASCII | re.IGNORECASE
)
_MEND = f"Write it as host:port, such as {DEFAULT}, or `off`."


def _listen(value: object) -> str | Literal[False]:
    if value is False or value == "off":
        return False
    found = _PLACE.fullmatch(value) if isinstance(value, str) else None
    if found is None or int(found["port"]) > _HIGHEST_PORT:
        raise mistake("should be a host with a port", _MEND)
    return found[0].lower()


Listen = Annotated[
    str | Literal[False],
    PlainValidator(_listen),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"const": False}]}),
]


class WebTls(Section):
    """What the port is served with. Put other files in their place, and the port shows those within seconds."""

    certificate: FilePath = Field(
        description="Certificate (PEM), with those that lead to its authority.",
        examples=["/etc/rotator/web.pem"],
    )
    key: FilePath = Field(description="Its private key (PEM).", examples=["/etc/rotator/web.key"])


class WebConfig(Section):
    """Health, metrics and the status page, on one port."""

    tls: WebTls | None = Field(default=None, description="Default: plain HTTP.")
    token: SecretField | None = Field(
        default=None,
        description="Who shows it may look: as bearer token, or as the password of HTTP Basic. /livez and /readyz ask for none.",
        examples=[{"file": "web-token"}],
    )
    plain_http: bool = Field(
        default=False,
        description="True: beyond loopback it may be served without tls. For a proxy or a mesh that ends TLS before it: up to "
        "there the token and what is shown go over the network as they are.",
    )
    listen: Listen = Field(
        default=DEFAULT,
        description="host:port, `off` for none. Beyond loopback a token and tls are needed. Port 0 takes a free one, which the "
        "log tells.",
        examples=[DEFAULT],
    )
    runbook: AnyUrl | None = Field(
        default=None,
        description="Where your operators find the runbook as a page; troubles lead to its sections.",
        examples=["https://wiki.example.com/rotator/runbook"],
    )

    @field_validator("listen")
    @classmethod
    def _no_fleet_for_strangers(
        cls, listen: str | Literal[False], info: ValidationInfo
    ) -> str | Literal[False]:
        """A look at the fleet is no secret, and yet nobody else's business. The other fields were read before."""
        if not listen or is_loopback(host_of(listen)):
            return listen
        if info.data.get("token", ...) is None:
            raise mistake(
                "anybody in the network could look at the fleet",
                "Demand a token: `token: {file: web-token}`; or listen on 127.0.0.1.",
            )
        if info.data.get("tls", ...) is None and not info.data.get("plain_http", True):
            raise mistake(
                "without tls anybody on the way could read the token, and look at the fleet",
                "Name a certificate: `tls: {certificate: web.pem, key: web.key}`; or, where a proxy ends TLS before it, say "
                "so: `plain_http: true`.",
            )
        return listen

    @property
    def address(self) -> tuple[str, int] | None:
        """Return host and port to listen at; None: nowhere."""
        return (host_of(self.listen), int(self.listen.rpartition(":")[2])) if self.listen else None


def host_of(listen: str) -> str:
    """Return the host of host:port, without the brackets of an IPv6 address."""
    return urlsplit(f"//{listen}").hostname or ""
