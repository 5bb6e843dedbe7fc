"""What others said, as it may be quoted."""

from __future__ import annotations

import base64
import random

import pytest

from rotator.secret import Secret
from rotator.show.quoting import quote


@pytest.mark.parametrize(
    "words",
    [
        'Post "https://kubernetes.default.svc/apis/authentication.k8s.io/v1/tokenreviews": connection refused',
        "invalid issuer (iss) claim https://oidc.eks.eu-central-1.amazonaws.com/id",
        "bound claim values: system:serviceaccount:salesforce:rotator-of-the-fleet",
        "extlClntAppGlobalOauthSets/Rotator_Acme_In_Production.ecaGlblOauth: no such file",
    ],
)
def test_addresses_paths_and_names_are_quoted_however_long(words):
    assert quote(words) == words


@pytest.mark.parametrize("alphabet", ["base64", "base64url", "hex"])
def test_what_looks_like_a_secret_is_not(alphabet):
    chance = random.Random(1)  # noqa: S311 - the same every time
    for length in (32, 48, 64, 120):
        secret = chance.randbytes(length)
        encoded = {
            "base64": base64.b64encode(secret).decode(),
            "base64url": base64.urlsafe_b64encode(secret).decode(),
            "hex": secret.hex(),
        }[alphabet]
        assert quote(f"we were sent {encoded} by you") == f"we were sent {Secret.MASK} by you"


def test_what_was_sent_is_hidden_however_short():
    assert quote("wrong passphrase tiger1", [Secret("tiger1")]) == f"wrong passphrase {Secret.MASK}"


def test_a_quote_is_short_and_printable():
    assert quote("a\x1b[31m\nb " + "word " * 100).startswith("a [31m b word word")
    assert len(quote("word " * 100)) <= 200
