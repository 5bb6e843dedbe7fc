"""The External Secrets Operator's manifests: config/consumers/kubernetes-eso."""

from __future__ import annotations

import json

import pytest

from tests.judges.consumers.kubernetes import complaints, manifests

pytestmark = pytest.mark.judge("External Secrets CRD")

SECRETS, DEPLOYMENT = "kubernetes-eso/external-secret.yaml", "kubernetes-eso/deployment.yaml"


def test_the_manifests_have_the_fields_of_their_kinds_and_no_others(node, tmp_path):
    assert complaints(node, tmp_path, *manifests(SECRETS).values(), *manifests(DEPLOYMENT).values()) == ""


@pytest.mark.parametrize(
    ("kind", "path", "value", "told"),
    [
        ("ExternalSecret", [], {"refreshIntervall": "5m"}, '"refreshIntervall"\' does not exist'),
        ("ExternalSecret", [], {"refreshInterval": 5}, "Type 'number' is not assignable to type 'string'"),
        ("ExternalSecret", [], {"refreshPolicy": "Sometimes"}, '"Sometimes"\' is not assignable'),
        ("ExternalSecret", ["data", 0], {"remoteRef": {}}, '"key"\' is missing'),
        ("SecretStore", ["provider", "vault"], {"caBundle": "no base64"}, "caBundle must match format"),
    ],
    ids=["misspelt", "of another type", "an unknown word", "a key too few", "of another format"],
)
def test_a_mistake_is_found(node, tmp_path, *, kind, path, value, told):
    manifest = manifests(SECRETS)[kind]
    spoilt = manifest["spec"]
    for step in path:
        spoilt = spoilt[step]
    spoilt |= value
    assert told in complaints(node, tmp_path, manifest)


def test_the_store_and_the_secret_together_name_a_document_that_consumers_may_read(stage):
    """As the operator reads it: the mount of the store, then data/, then the key."""
    found = manifests(SECRETS)
    store = found["SecretStore"]["spec"]["provider"]["vault"]
    (entry,) = found["ExternalSecret"]["spec"]["data"]
    path = f"{store['path']}/data/{entry['remoteRef']['key']}"
    document = stage.vault.request("GET", path, token=stage.consumer_token_file("acme").read_text())
    assert document["data"]["data"]["username"] == "integration@acme.example"
    assert store["version"] == "v2"


def test_names_fit_from_the_store_to_the_file_in_the_pod():
    secrets, pod = manifests(SECRETS), manifests(DEPLOYMENT)["Deployment"]["spec"]["template"]["spec"]
    secret, store = secrets["ExternalSecret"]["spec"], secrets["SecretStore"]
    account = secrets["ServiceAccount"]["metadata"]["name"]
    assert secret["secretStoreRef"] == {"kind": "SecretStore", "name": store["metadata"]["name"]}
    assert store["spec"]["provider"]["vault"]["auth"]["kubernetes"]["serviceAccountRef"]["name"] == account
    assert pod["serviceAccountName"] == account
    assert pod["volumes"][0]["secret"]["secretName"] == secret["target"]["name"]
    mount, (setting,) = pod["containers"][0]["volumeMounts"][0], pod["containers"][0]["env"]
    assert setting["value"] == f"{mount['mountPath']}/{secret['data'][0]['secretKey']}"
    assert "subPath" not in json.dumps(pod)
