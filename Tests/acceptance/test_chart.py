"""The Helm chart: what it renders, what it refuses, and its life on a real API server."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm/campaign-bridge"
SHARED = ROOT.parent / "shared"

VALUES = {
    "config": {
        "kafka": {"bootstrapServers": ["kafka:9092"], "properties": {"socket.timeout.ms": 1000000}},
        "ledger": {"maximumEntries": 100000000},
        "connections": {
            "main": {
                "baseUrl": "https://platform.example.com",
                "streams": ["*", "0042"],
                "accountId": "601000000000000000000000",
                "clientId": "cs-1",
                "clientSecretFile": "/run/secrets/api/client-secret",
            }
        },
    },
    "secrets": [{"name": "api", "mountPath": "/run/secrets/api"}],
}

# One API server for all of them.
pytestmark = pytest.mark.xdist_group("chart")


@pytest.fixture(scope="module")
def helm():
    path = SHARED / "bin/helm"
    found = str(path) if path.exists() else shutil.which("helm")
    if not found:
        pytest.skip("no helm on PATH")
    return found


@pytest.fixture
def values(tmp_path):
    """Writes values, the usual ones changed by what is given, and returns the file."""

    def write(**changes) -> str:
        path = tmp_path / "values.yaml"
        path.write_text(yaml.safe_dump({**VALUES, **changes}))
        return str(path)

    return write


def run(*command, env=None, timeout=180):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=timeout, check=False,
                          env={**os.environ, **(env or {})})


def render(helm, *arguments, release="calls"):
    done = run(helm, "template", release, CHART, "--namespace", "crm", "--kube-version", "1.30.0", *arguments)
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def only(objects, kind, part=""):
    found = [one for one in objects if one["kind"] == kind and part in one["metadata"]["name"]]
    assert len(found) == 1, [one["metadata"]["name"] for one in objects]
    return found[0]


def pod_specs(objects):
    return [one["spec"]["template"]["spec"] for one in objects if one["kind"] in ("StatefulSet", "Job")]


def config_of(objects):
    [text] = {one["data"]["config.yaml"] for one in objects if one["kind"] == "ConfigMap"}
    return text


def test_the_linter_finds_nothing(helm, values):
    done = run(helm, "lint", "--strict", CHART, "--values", values())
    assert done.returncode == 0, done.stdout


def test_texts_stay_texts_and_whole_numbers_stay_digits(helm, values):
    text = config_of(render(helm, "--values", values()))
    assert "maximumEntries: 100000000\n" in text and "socket.timeout.ms: 1000000\n" in text
    config = yaml.safe_load(text)
    assert config["connections"] == VALUES["config"]["connections"]
    assert config["replica"]["namespace"] == "crm"
    assert config["server"]["listen"] == "[::]:8080"


def test_the_rendered_file_fits_the_schema_of_the_configuration(helm, values):
    schema = ROOT / "docs/configuration.schema.json"
    if not schema.exists():
        pytest.skip("docs/configuration.schema.json is not there")
    import jsonschema

    jsonschema.validate(yaml.safe_load(config_of(render(helm, "--values", values()))), json.loads(schema.read_text()))


@pytest.mark.parametrize("option", ["config.connections.main.accountId=12345678", "config.connections.main.iid=42",
                                    "replicas=two", "config.connections.main.clientSecret=planted",
                                    "config.kafka.security.password=planted", "config.replica.name=one",
                                    "config.shutdown.drainDeadline=45", "unknown=1", "image.digest=latest"])
def test_values_of_the_wrong_shape_are_refused(helm, values, option):
    done = run(helm, "template", "calls", CHART, "--kube-version", "1.30.0", "--values", values(), "--set", option)
    assert done.returncode != 0
    assert option.split("=")[0].rsplit(".", 1)[0].replace(".", "/") in done.stderr.replace(".", "/")
    assert "planted" not in done.stderr


def test_a_listener_that_probes_cannot_reach_is_refused(helm, values):
    done = run(helm, "template", "calls", CHART, "--kube-version", "1.30.0", "--values", values(),
               "--set", "config.server.listen=127.0.0.1:8080")
    assert done.returncode != 0 and "[::]:8080" in done.stderr


def test_every_pod_is_restricted_and_gets_no_service_variables(helm, values):
    specs = pod_specs(render(helm, "--values", values()))
    assert len(specs) == 2
    for spec in specs:
        assert spec["enableServiceLinks"] is False
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
        for container in spec["containers"]:
            assert container["securityContext"] == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                                                    "capabilities": {"drop": ["ALL"]}}


def test_replicas_stop_start_and_leave_as_the_bridge_needs_it(helm, values):
    objects = render(helm, "--values", values())
    spec = only(objects, "StatefulSet")["spec"]
    assert spec["podManagementPolicy"] == "Parallel"
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] == 45 + 15
    budget = only(objects, "PodDisruptionBudget")["spec"]
    assert (budget["maxUnavailable"], budget["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")
    for service in (one for one in objects if one["kind"] == "Service"):
        assert service["spec"]["publishNotReadyAddresses"] is True
    [container] = spec["template"]["spec"]["containers"]
    assert container["livenessProbe"]["httpGet"]["path"] == "/health/live"
    assert container["readinessProbe"]["httpGet"]["path"] == "/health/ready"
    assert not [one for one in objects if "helm.sh/hook" in one["metadata"].get("annotations", {})]


@pytest.mark.parametrize("deadline,seconds", [("1500ms", 17), ("2m", 135), ("1h", 3615), ("0s", 15)])
def test_the_grace_period_follows_the_drain_deadline(helm, values, deadline, seconds):
    objects = render(helm, "--values", values(), "--set", f"config.shutdown.drainDeadline={deadline}")
    spec = only(objects, "StatefulSet")["spec"]["template"]["spec"]
    assert spec["terminationGracePeriodSeconds"] == seconds


def test_port_and_scheme_follow_the_listener(helm, values):
    objects = render(helm, "--values", values(), "--set", "config.server.listen=0.0.0.0:9443",
                     "--set", "config.server.certificateFile=/run/secrets/tls/tls.crt",
                     "--set", "serviceMonitor.enabled=true", "--api-versions", "monitoring.coreos.com/v1")
    [container] = only(objects, "StatefulSet")["spec"]["template"]["spec"]["containers"]
    assert container["ports"][0]["containerPort"] == 9443
    assert container["livenessProbe"]["httpGet"]["scheme"] == "HTTPS"
    assert only(objects, "ServiceMonitor")["spec"]["endpoints"][0]["scheme"] == "https"


def test_the_topics_job_is_named_by_its_content(helm, values):
    def job(*arguments):
        return only(render(helm, "--values", values(), *arguments), "Job")["metadata"]["name"]

    usual = job()
    assert job("--set", "replicas=5") == usual
    others = {job("--set", "config.topics.partitions=16"), job("--set", "image.tag=v2"), job("--set", "env[0].name=A"),
              job("--set", "topics.backoffLimit=3"), job("--set", "secrets[0].name=other")}
    assert len(others | {usual}) == 6


def test_another_configuration_is_another_pod(helm, values):
    def checksum(*arguments):
        objects = render(helm, "--values", values(), *arguments)
        return only(objects, "StatefulSet")["spec"]["template"]["metadata"]["annotations"]["checksum/config"]

    assert checksum() == checksum("--set", "replicas=5")
    assert checksum() != checksum("--set", "config.logging.level=debug")


def test_long_names_stay_short_enough_and_apart(helm, values):
    names = set()
    for last in "ab":
        objects = render(helm, "--values", values(), release="r" * 52 + last)
        name = only(objects, "StatefulSet")["metadata"]["name"]
        assert len(name) <= 52
        assert all(len(one["metadata"]["name"]) <= 63 for one in objects)
        assert len(only(objects, "Job")["metadata"]["name"]) <= 63
        names.add(name)
    assert len(names) == 2
    dotted = only(render(helm, "--values", values(), release="my.release"), "StatefulSet")["metadata"]["name"]
    assert "." not in dotted


@pytest.fixture(scope="module")
def kubernetes(tmp_path_factory):
    """A control plane of this module's own; gives the environment that names it."""
    up = SHARED / "kube/kube-up"
    if not up.exists():
        pytest.skip("no Kubernetes API server: ../shared/kube is not there")
    folder = tmp_path_factory.mktemp("kube") / "k"
    done = run(up, folder, timeout=180)
    try:
        assert done.returncode == 0, done.stderr
        yield {"KUBECONFIG": str(folder / "kubeconfig")}
    finally:
        run(SHARED / "kube/kube-down", folder)


def test_a_release_lives_on_a_real_api_server(helm, values, kubernetes):
    kubectl = SHARED / "kube/bin/kubectl"
    release = "r" * 53  # the longest that Helm takes

    def do(*command):
        done = run(*command, env=kubernetes)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def get(*what):
        return json.loads(do(kubectl, "-n", "crm", "get", *what, "-o", "json"))["items"]

    do(kubectl, "create", "namespace", "crm")
    do(kubectl, "label", "namespace", "crm", "pod-security.kubernetes.io/enforce=restricted")
    do(kubectl, "-n", "crm", "create", "secret", "generic", "api", "--from-literal=client-secret=planted")

    settings = ("--namespace", "crm", "--values", values(), "--set", "serviceMonitor.enabled=true")
    rendered = run(helm, "template", release, CHART, *settings, "--kube-version", "1.30.0")
    strict = subprocess.run([kubectl, "-n", "crm", "apply", "--validate=strict", "--dry-run=server", "-f", "-"],
                            input=rendered.stdout, capture_output=True, text=True, timeout=60, check=False,
                            env={**os.environ, **kubernetes})
    assert strict.returncode == 0 and "Warning" not in strict.stderr, strict.stderr

    waiting = ("--wait", "--wait-for-jobs", "--timeout", "90s")
    do(helm, "install", release, CHART, *settings, *waiting)
    pods = [one for one in get("pods") if one["metadata"]["labels"]["app.kubernetes.io/component"] == "bridge"]
    assert len(pods) == 2
    # A budget of one with all replicas healthy lets one go; it is the controller that says so.
    do(kubectl, "-n", "crm", "wait", "pdb", "--all", "--for=jsonpath={.status.disruptionsAllowed}=1", "--timeout=60s")
    [job] = get("jobs")

    # A pod that never gets ready must not outlive the roll-back, nor must the bad release's Job.
    bad = run(helm, "upgrade", release, CHART, *settings, "--set", "nodeSelector.no-such=node", "--wait",
              "--timeout", "8s", env=kubernetes)
    assert bad.returncode != 0
    do(helm, "rollback", release, "--namespace", "crm", *waiting)
    assert [one["metadata"]["name"] for one in get("jobs")] == [job["metadata"]["name"]]

    do(helm, "upgrade", release, CHART, *settings, *waiting, "--set", "replicas=3",
       "--set", "config.logging.level=debug")
    pods = [one for one in get("pods") if one["metadata"]["labels"]["app.kubernetes.io/component"] == "bridge"]
    assert len(pods) == 3
    assert "debug" in get("configmaps", "-l", "app.kubernetes.io/name=campaign-bridge")[0]["data"]["config.yaml"]
    [after] = get("jobs")
    assert after["metadata"]["name"] != job["metadata"]["name"]

    do(helm, "uninstall", release, "--namespace", "crm", "--wait", "--timeout", "90s")
    kinds = "statefulsets,jobs,services,configmaps,poddisruptionbudgets,serviceaccounts,servicemonitors"
    assert get(kinds, "-l", "app.kubernetes.io/name=campaign-bridge") == []
