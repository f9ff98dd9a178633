"""The files for containers, clusters and services, held by the tools that read them."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from lightkube.config.kubeconfig import SERVICE_ACCOUNT
from ruamel.yaml import YAML

from controller.daemon.metrics import Metrics

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
MANIFESTS = sorted(set((DEPLOY / "kubernetes").glob("*.yaml")) - {DEPLOY / "kubernetes" / "kustomization.yaml"})


def tool(name: str) -> str:
    """A tool of the environment the tests run in, else of the machine."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def said(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def manifest(name: str) -> Any:
    (document,) = manifests(name)
    return document


def manifests(name: str) -> list[Any]:
    return list(YAML(typ="safe").load_all((DEPLOY / "kubernetes" / f"{name}.yaml").read_text()))


def test_the_kustomization_names_every_manifest() -> None:
    assert set(manifest("kustomization")["resources"]) == {path.name for path in MANIFESTS}


@pytest.mark.parametrize("path", [m for m in MANIFESTS if m.stem != "service-monitor"], ids=lambda path: path.stem)
def test_manifests_are_what_kubernetes_reads(path: Path) -> None:
    done = said(tool("kubernetes-validate"), "--strict", str(path))
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_kustomization_builds() -> None:
    done = said(tool("kubectl"), "kustomize", str(DEPLOY / "kubernetes"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\nkind: ") + done.stdout.startswith("kind: ") == 11
    (binding,) = [one for one in YAML(typ="safe").load_all(done.stdout) if one["kind"] == "RoleBinding"]
    assert binding["subjects"][0]["namespace"] == binding["metadata"]["namespace"]


def test_the_pods_may_do_little() -> None:
    pod = manifest("deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not pod["automountServiceAccountToken"]
    assert pod["terminationGracePeriodSeconds"] > 10


def test_the_pods_may_read_and_write_one_lease_and_nothing_else() -> None:
    role, binding = manifests("role")
    (container,) = manifest("deployment")["spec"]["template"]["spec"]["containers"]
    name = manifest("lease")["metadata"]["name"]
    assert f"--lease-name={name}" in container["args"]
    assert "--lease=kubernetes" in container["args"]
    assert role["rules"] == [
        {
            "apiGroups": ["coordination.k8s.io"],
            "resources": ["leases"],
            "resourceNames": [name],
            "verbs": ["get", "update"],
        }
    ]
    assert binding["roleRef"] | {"kind": role["kind"], "name": role["metadata"]["name"]} == binding["roleRef"]
    account = manifest("service-account")["metadata"]["name"]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": account}]
    assert manifest("deployment")["spec"]["template"]["spec"]["serviceAccountName"] == account


def test_what_is_applied_again_leaves_the_lease_to_who_holds_it() -> None:
    assert set(manifest("lease")) == {"apiVersion", "kind", "metadata"}


def test_the_token_is_mounted_where_it_is_looked_for_and_does_not_last() -> None:
    pod = manifest("deployment")["spec"]["template"]["spec"]
    (mount,) = [m for m in pod["containers"][0]["volumeMounts"] if m["mountPath"] == SERVICE_ACCOUNT]
    (volume,) = [v for v in pod["volumes"] if v["name"] == mount["name"]]
    token, authority, namespace = volume["projected"]["sources"]
    assert token["serviceAccountToken"] == {"path": "token", "expirationSeconds": 3600}
    assert authority["configMap"]["items"][0]["path"] == "ca.crt"
    assert namespace["downwardAPI"]["items"][0]["path"] == "namespace"
    assert mount["readOnly"]
    assert not manifest("service-account")["automountServiceAccountToken"]


def test_the_api_server_can_be_reached() -> None:
    egress = manifest("network-policy")["spec"]["egress"]
    assert {443, 6443} <= {port["port"] for rule in egress for port in rule["ports"]}


def test_selectors_meet_the_pods() -> None:
    labels = manifest("deployment")["spec"]["template"]["metadata"]["labels"]
    assert manifest("deployment")["spec"]["selector"]["matchLabels"] == labels
    assert manifest("service")["spec"]["selector"] == labels
    assert manifest("service")["metadata"]["labels"] == labels
    assert manifest("network-policy")["spec"]["podSelector"]["matchLabels"] == labels
    assert manifest("pod-disruption-budget")["spec"]["selector"]["matchLabels"] == labels
    assert manifest("service-monitor")["spec"]["selector"]["matchLabels"] == labels


@pytest.mark.parametrize("where", ["kubernetes/deployment.yaml", "systemd/gitune.service"])
def test_the_options_that_are_given_exist(where: str) -> None:
    given = set(re.findall(r"(?<![\w-])--[a-z-]+(?==)", (DEPLOY / where).read_text()))
    text = said(sys.executable, "-m", "controller", "run", "--help").stdout
    assert given
    assert sorted(option for option in given if option not in text) == []


def test_the_unit_is_one_and_exposes_little(tmp_path: Path) -> None:
    analyze = tool("systemd-analyze")
    unit = (DEPLOY / "systemd" / "gitune.service").read_text().replace("/opt/gitune/bin/gitune", "/bin/true")
    (tmp_path / "gitune.service").write_text(unit)
    verified = said(analyze, "verify", str(tmp_path / "gitune.service"))
    assert (verified.returncode, verified.stderr) == (0, "")
    score = said(analyze, "security", "--offline=true", "--threshold=20", str(tmp_path / "gitune.service"))
    assert score.returncode == 0, score.stdout[-500:]


def test_the_dockerfile_is_well_written() -> None:
    done = said(tool("hadolint"), "--no-color", str(ROOT / "Dockerfile"))
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_runs_as_nobody_in_particular_and_tells_its_health() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert re.search(r"^USER 10001", text, re.MULTILINE)
    assert "HEALTHCHECK" in text


def metric_names() -> set[str]:
    text = Metrics().text().decode()
    return {name.removesuffix("_total") for name in re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)}


def asked(text: str) -> set[str]:
    return {re.sub(r"_(total|bucket|count|sum)$", "", name) for name in re.findall(r"\bgitune_[a-z_]+", text)}


@pytest.mark.parametrize("where", ["grafana/gitune.json", "prometheus/alerts.yaml"])
def test_what_is_shown_and_warned_of_is_measured(where: str) -> None:
    assert sorted(asked((DEPLOY / where).read_text()) - metric_names()) == []


def test_the_dashboard_shows_every_metric() -> None:
    board = json.loads((DEPLOY / "grafana" / "gitune.json").read_text())
    assert sorted(metric_names() - asked(json.dumps(board))) == []
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_the_page_about_the_daemon_names_every_metric() -> None:
    text = (ROOT / "docs" / "daemon.md").read_text()
    assert sorted(metric_names() - asked(text)) == []


def test_the_warnings_warn() -> None:
    promtool = tool("promtool")
    done = said(promtool, "test", "rules", str(DEPLOY / "prometheus" / "alerts.test.yaml"))
    assert done.returncode == 0, done.stdout + done.stderr
