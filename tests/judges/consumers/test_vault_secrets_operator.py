"""The Vault Secrets Operator's manifests: config/consumers/kubernetes-vso."""

from __future__ import annotations

import pytest

from tests.judges.consumers.kubernetes import complaints, manifests

pytestmark = pytest.mark.judge("Vault Secrets Operator CRD")

FILE = "kubernetes-vso/vault-static-secret.yaml"


def test_the_manifests_have_the_fields_of_their_kinds_and_no_others(node, tmp_path):
    assert complaints(node, tmp_path, *manifests(FILE).values()) == ""


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"refresh_after": "1m"}, '"refresh_after"\' does not exist'),
        ({"refreshAfter": "1 minute"}, '"1 minute"\' is not assignable'),
        ({"type": "kv"}, '"kv"\' is not assignable'),
        ({"destination": {"create": True}}, "Property 'name' is missing"),
    ],
    ids=["misspelt", "no duration", "an unknown word", "a key too few"],
)
def test_a_mistake_is_found(node, tmp_path, value, told):
    manifest = manifests(FILE)["VaultStaticSecret"]
    manifest["spec"] |= value
    assert told in complaints(node, tmp_path, manifest)


def test_mount_and_path_name_a_document_that_consumers_may_read(stage):
    secret = manifests(FILE)["VaultStaticSecret"]["spec"]
    path = f"{secret['mount']}/data/{secret['path']}"
    document = stage.vault.request("GET", path, token=stage.consumer_token_file("acme").read_text())
    assert document["data"]["data"]["username"] == "integration@acme.example"


def test_it_makes_the_secret_that_the_deployment_mounts_under_the_same_key():
    found = manifests(FILE)
    secret = found["VaultStaticSecret"]["spec"]
    of_eso = manifests("kubernetes-eso/external-secret.yaml")["ExternalSecret"]["spec"]
    assert secret["destination"]["name"] == of_eso["target"]["name"]
    assert list(secret["destination"]["transformation"]["templates"]) == [of_eso["data"][0]["secretKey"]]
    assert secret["vaultAuthRef"] == found["VaultAuth"]["metadata"]["name"]
    assert found["VaultAuth"]["spec"]["vaultConnectionRef"] == found["VaultConnection"]["metadata"]["name"]
