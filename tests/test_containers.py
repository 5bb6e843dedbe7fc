"""What is shipped to run rotator in containers, as far as that can be told without any; tests/machines runs them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from rotator import __version__
from rotator.config import load

CONFIG = Path(__file__).parents[1] / "config"
DOCKERFILE = (CONFIG.parent / "Dockerfile").read_text()
USER = int(re.search(r"^USER (\d+):\1$", DOCKERFILE, re.MULTILINE)[1])
CONFIGURATION = Path(re.search(r"ROTATOR_CONFIG=(\S+)", DOCKERFILE)[1])
HEALTH = ["rotator", "alive"]


def composed(name):
    return yaml.safe_load((CONFIG / "compose" / name).read_text())


@pytest.fixture(scope="module")
def manifest():
    """Kind -> what is applied to Kubernetes."""
    documents = list(yaml.safe_load_all((CONFIG / "kubernetes" / "rotator.yaml").read_text()))
    assert len({one["kind"] for one in documents}) == len(documents)
    return {one["kind"]: one for one in documents}


@pytest.fixture
def pod(manifest):
    return manifest["Deployment"]["spec"]["template"]["spec"]


@pytest.fixture
def container(pod):
    (container,) = pod["containers"]
    return container


def test_what_composes_containers_gives_them_no_right_and_no_place_that_they_do_not_need():
    (service,) = composed("hardened.yaml")["services"].values()
    assert service["user"] == f"{USER}:{USER}"
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"] == service["memswap_limit"]
    assert service["ulimits"] == {"core": 0}


@pytest.mark.parametrize("name", ["compose.yaml", "sandbox.yaml"])
def test_every_service_is_shut_off_and_none_is_published(name):
    for service in composed(name)["services"].values():
        assert service["extends"] == {"file": "hardened.yaml", "service": "rotator"}
        assert service.keys().isdisjoint(
            {"ports", "privileged", "cap_add", "user", "read_only", "security_opt", "pid", "ipc"}
        )


def test_the_sandbox_reaches_nothing():
    services = composed("sandbox.yaml")["services"]
    assert services["sandbox"]["network_mode"] == "none"
    assert services["rotator"]["network_mode"] == "service:sandbox"
    assert services["rotator"]["depends_on"] == {"sandbox": {"condition": "service_healthy"}}


def test_kubernetes_runs_it_under_its_strictest_standard(manifest, pod, container):
    """The fields that the standard `restricted` demands, and a file system that is read."""
    assert manifest["Namespace"]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": USER,
        "runAsGroup": USER,
        "fsGroup": USER,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False


def test_the_parts_of_the_manifest_fit_each_other_and_the_image(manifest, pod, container):
    namespace = manifest["Namespace"]["metadata"]["name"]
    assert {one["metadata"].get("namespace", namespace) for one in manifest.values()} == {namespace}
    deployment = manifest["Deployment"]["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    assert deployment["selector"]["matchLabels"] == labels
    assert manifest["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"] == labels
    assert pod["serviceAccountName"] == manifest["ServiceAccount"]["metadata"]["name"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert volumes.keys() == mounted.keys()
    assert volumes["configuration"]["configMap"]["name"] == manifest["ConfigMap"]["metadata"]["name"]
    (file,) = manifest["ConfigMap"]["data"]
    assert Path(mounted["configuration"]) / file == CONFIGURATION
    assert container["image"].endswith(f"/rotator:{__version__}")


def test_probes_ask_the_daemon_alone(container):
    assert container["livenessProbe"]["exec"]["command"] == HEALTH
    assert container["startupProbe"]["exec"]["command"] == HEALTH
    assert "readinessProbe" not in container  # nobody calls it


def test_the_configuration_in_the_manifest_holds_and_finds_the_token_that_is_mounted(
    manifest, pod, container, tmp_path
):
    file = tmp_path / "rotator.yaml"
    file.write_text(manifest["ConfigMap"]["data"]["rotator.yaml"])
    login = load(file).vault.login
    assert login.method == "kubernetes"
    (mounted,) = [one["mountPath"] for one in container["volumeMounts"] if one["name"] == "vault-token"]
    (token,) = [volume["projected"] for volume in pod["volumes"] if volume["name"] == "vault-token"]
    (source,) = token["sources"]
    assert login.token_file == Path(mounted) / source["serviceAccountToken"]["path"]
    assert pod["serviceAccountName"] == login.role
