"""Logins, certificates and ACLs, as a user meets them: `check` says what to do, `run` waits and says why."""

import json
import os
import subprocess
import time
from pathlib import Path

import confluent_kafka
import pytest
from confluent_kafka.admin import ResourceType as Kind
from harness import until
from rights import INTAKE_RIGHTS, RIGHTS, Acls

# One cluster for all of them.
pytestmark = pytest.mark.xdist_group("security")

PLANTED = ["KAFKA_BRIDGE_PASSWORD", "KAFKA_ADMIN_PASSWORD", "KAFKA_KEY_PASSWORD"]


def login(cluster, mechanism: str = "PLAIN", servers: str = "", **changes) -> dict:
    """Settings of `kafka` for the listener with logins. None takes a setting away."""
    security = {"protocol": "sasl_ssl", "mechanism": mechanism, "username": "bridge",
                "password": cluster.env["KAFKA_BRIDGE_PASSWORD"], "caFile": cluster.env["KAFKA_CA_FILE"], **changes}
    return {"bootstrapServers": [servers or cluster.env["KAFKA_SASL_BOOTSTRAP_SERVERS"]], "operationTimeout": "5s",
            "security": {name: value for name, value in security.items() if value is not None}}


def certificate(cluster, **changes) -> dict:
    """Settings of `kafka` for the listener with client certificates."""
    security = {"protocol": "ssl", "caFile": cluster.env["KAFKA_CA_FILE"],
                "certificateFile": cluster.env["KAFKA_CERTIFICATE_FILE"], "keyFile": cluster.env["KAFKA_KEY_FILE"],
                "keyPassword": cluster.env["KAFKA_KEY_PASSWORD"], **changes}
    return {"bootstrapServers": [cluster.env["KAFKA_MUTUAL_BOOTSTRAP_SERVERS"]],
            "security": {name: value for name, value in security.items() if value is not None}}


def check(bridge, *options: str, **variables) -> tuple[int, list[dict], str]:
    """Exit code, lines, and all that was written."""
    command = [bridge.binary, "check", "-c", bridge.config("r1"), "--timeout", "20s", "-o", "json", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False,
                          env={**os.environ, **variables})
    return done.returncode, json.loads(done.stdout)["checks"], done.stdout + done.stderr


def failed(lines: list[dict], name: str) -> dict:
    """The one failed line of that name."""
    found = [line for line in lines if line["state"] == "fail" and line["name"] == name]
    assert len(found) == 1, lines
    return found[0]


def library_version(lines: list[dict]) -> tuple[int, ...]:
    name = next(line["name"] for line in lines if line["name"].startswith("librdkafka "))
    return tuple(int(part) for part in name.split()[1].split("."))


@pytest.fixture
def scram(secured_bridge, tmp_path) -> dict:
    """Variables for a library that can log in with SCRAM: the system's, else the one in the Python client."""
    if library_version(check(secured_bridge, "--offline")[1]) >= (2, 6, 1):
        return {}
    bundled = list(Path(confluent_kafka.__file__).parents[1].glob("confluent_kafka.libs/librdkafka*.so.1"))
    if not bundled:
        pytest.skip("librdkafka here cannot log in to Kafka 4 with SCRAM, and the Python client bundles no other")
    folder = tmp_path / "library"
    folder.mkdir()
    (folder / "librdkafka.so.1").symlink_to(bundled[0])
    return {"LD_LIBRARY_PATH": str(folder)}


def assert_secret(cluster, *texts: str) -> None:
    for name in PLANTED:
        assert not any(cluster.env[name] in text for text in texts), f"{name} is shown"


@pytest.mark.parametrize("way", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "certificate", "intake"])
def test_the_main_job_with_the_documented_rights_and_no_others(secured, secured_bridge, scram, way):
    bridge, variables = secured_bridge, scram if way.startswith("SCRAM") else {}
    bridge.settings = {"source": {"rekey": way == "intake"}}
    bridge.prepare()
    Acls(bridge).grant(*RIGHTS, *(INTAKE_RIGHTS if way == "intake" else []))
    bridge.settings["kafka"] = (certificate(secured) if way == "certificate"
                                else login(secured, "PLAIN" if way == "intake" else way))
    bridge.settings["logging"] = {"format": "json", "level": "debug"}
    code, lines, written = check(bridge, "--try-writes", "--show-settings", **variables)
    assert code == 0, written
    bridge.send(20)
    replica = bridge.start_replica("r1", **variables)
    bridge.wait_outcomes()
    until(replica.ready, "it is not ready")
    assert bridge.verdict().problems == {}
    bridge.produce([{"key": "k", "value": b"no event"}])
    until(lambda: bridge.tail("dead").read(), "no dead letter")
    assert_secret(secured, written, replica.get("/health/ready")[1], replica.get("/metrics")[1])
    replica.process.terminate()
    assert replica.exit() == 0
    assert_secret(secured, (bridge.folder / "r1.log").read_text())


def test_scram_with_a_library_that_cannot_is_named(secured, secured_bridge):
    bridge = secured_bridge
    bridge.start_simulator()
    bridge.settings = {"kafka": login(secured, "SCRAM-SHA-512")}
    code, lines, written = check(bridge)
    if library_version(lines) >= (2, 6, 1):
        assert next(line for line in lines if line["name"] == "broker")["state"] == "ok", written
        return
    assert code == 1
    assert "2.6.1" in failed(lines, "broker")["advice"]
    assert any(line["state"] == "warn" and line["text"].startswith("SCRAM cannot log in") for line in lines)
    assert_secret(secured, written)


def faults(cluster) -> dict:
    """By name: settings of `kafka`, what the text says, what the advice names."""
    by_address = cluster.env["KAFKA_SASL_BOOTSTRAP_SERVERS"].replace("localhost", "127.0.0.1")
    return {
        "password": (login(cluster, password="wrong-password"), "login was refused", "kafka.security.username"),
        "authority": (login(cluster, caFile=cluster.env["KAFKA_OTHER_CA_FILE"]), "not trusted",
                      "kafka.security.caFile"),
        "name": (login(cluster, servers=by_address), "for another name", "kafka.bootstrapServers"),
        "plaintext": ({**login(cluster), "security": {"protocol": "plaintext"}}, "TLS could not be agreed on",
                      "set kafka.security.protocol to ssl or sasl_ssl"),
        "tls": (login(cluster, servers=cluster.env["KAFKA_BOOTSTRAP_SERVERS"]), "TLS could not be agreed on",
                "check that the port speaks TLS"),
        "no login": (login(cluster, None, protocol="ssl", username=None, password=None), "wants a login",
                     "kafka.security.protocol"),
        "no certificate": (certificate(cluster, certificateFile=None, keyFile=None, keyPassword=None),
                           "wants a client certificate", "kafka.security.certificateFile"),
    }


FAULTS = ["password", "authority", "name", "plaintext", "tls", "no login", "no certificate"]


@pytest.mark.parametrize("fault", FAULTS)
def test_check_says_what_is_wrong_with_a_connection(secured, secured_bridge, fault):
    settings, text, advice = faults(secured)[fault]
    secured_bridge.start_simulator()
    secured_bridge.settings = {"kafka": settings}
    code, lines, written = check(secured_bridge)
    line = failed(lines, "broker")
    assert text in line["text"] and advice in line["advice"], line
    # The brokers answer: it is a fault of the settings, and not of the network.
    assert code == 1
    if fault == "authority":
        assert "for another name" in line["text"]
    assert_secret(secured, written)
    assert "wrong-password" not in written


def test_a_mechanism_that_the_brokers_do_not_offer(cluster, own_broker_bridge):
    cluster.up("--secure", "--set", "listener.name.sasl.sasl.enabled.mechanisms=PLAIN")
    own_broker_bridge.start_simulator()
    own_broker_bridge.settings = {"kafka": login(cluster, "SCRAM-SHA-512")}
    code, lines, written = check(own_broker_bridge)
    line = failed(lines, "broker")
    assert "do not offer this way to log in" in line["text"] and "PLAIN" in line["text"], line
    assert code == 1 and "kafka.security.mechanism" in line["advice"]
    assert_secret(cluster, written)


def test_a_key_whose_password_is_wrong_is_named(secured, secured_bridge):
    secured_bridge.settings = {"kafka": certificate(secured, keyPassword="wrong-password")}
    code, lines, written = check(secured_bridge, "--offline")
    assert code == 1 and "kafka.security.keyFile and keyPassword" in failed(lines, "kafka.properties")["advice"]
    replica = secured_bridge.start_replica("r1")
    assert replica.exit() == 2
    assert "keyPassword" in replica.log("campaign-bridge cannot start")[0]["detail"]
    assert "wrong-password" not in written + (secured_bridge.folder / "r1.log").read_text()


def test_run_waits_and_says_why(secured, secured_bridge):
    """Every fault at once, each with a replica."""
    bridge = secured_bridge
    bridge.prepare()
    bridge.send(5)
    replicas = {}
    for number, (fault, (settings, text, _)) in enumerate(faults(secured).items()):
        bridge.settings = {"kafka": settings}
        replicas[fault] = (bridge.start_replica(f"r{number}"), text)
    for fault, (replica, text) in replicas.items():
        until(lambda told=replica, part=text: part in told.get("/health/ready")[1],
              lambda name=fault, told=replica: f"{name}: {told.get('/health/ready')}", 90)
        assert replica.get("/health/live")[0] == 200
    # It goes on trying all the time, and that is not told each time.
    time.sleep(10)
    for fault, (replica, text) in replicas.items():
        assert replica.process.poll() is None and replica.get("/health/ready")[0] == 503, fault
        assert any(text in str(line.get("error")) for line in replica.log()), fault
        told = [line for line in replica.log() if line["level"] in ("warning", "error")]
        assert len(told) < 10, told
        assert_secret(secured, (bridge.folder / f"{replica.name}.log").read_text(), replica.get("/health/ready")[1])
    assert bridge.starts() == []


@pytest.mark.parametrize("right", RIGHTS, ids=lambda right: f"{right[0]} {right[1].replace('`', '')}")
def test_one_right_that_is_missing(secured, secured_bridge, right):
    """Named by `check`; `run` calls nothing, says why, and goes on when it is granted."""
    bridge = secured_bridge
    bridge.prepare()
    acls = Acls(bridge)
    acls.grant(*(other for other in RIGHTS if other != right))
    bridge.settings = {"kafka": login(secured)}
    bridge.send(5)
    binding = acls.binding(right)
    options = {Kind.TOPIC: "--topic", Kind.GROUP: "--group", Kind.TRANSACTIONAL_ID: "--transactional-id"}
    grant = f"{options[binding.restype]} {binding.name}"
    code, lines, written = check(bridge)
    advice = [line.get("advice", "") for line in lines if line["state"] == "fail"]
    assert code == 1 and any(grant in text and f"--operation {right[0]}" in text for text in advice), written
    replica = bridge.start_replica("r1")

    def reason() -> bool:
        status, text = replica.get("/health/ready")
        return status == 503 and grant in text and f"--operation {right[0]}" in text

    until(reason, lambda: replica.get("/health/ready"))
    time.sleep(3)
    assert bridge.starts() == [] and replica.process.poll() is None
    assert any(grant in str(line.get("detail")) for line in replica.log())
    acls.grant(right)
    bridge.wait_outcomes()
    until(replica.ready, lambda: replica.get("/health/ready"))
    assert bridge.verdict().problems == {}


@pytest.mark.parametrize("right", [("Write", "topic `topics.ledger`"), ("Write", "topic `topics.started`")],
                         ids=["ledger", "started"])
def test_a_right_that_is_taken_away_and_given_back(secured, secured_bridge, right):
    bridge = secured_bridge
    bridge.prepare()
    acls = Acls(bridge)
    acls.grant(*RIGHTS)
    bridge.settings = {"kafka": login(secured)}
    bridge.send(5)
    replica = bridge.start_replica("r1")
    bridge.wait_outcomes()
    acls.revoke(right)
    bridge.send(30)
    until(lambda: "deny Write" in replica.get("/health/ready")[1], lambda: replica.get("/health/ready"))
    # What was called before it was noticed has its outcome in hand; nothing else is called.
    time.sleep(3)
    called = len(bridge.starts())
    time.sleep(3)
    assert len(bridge.starts()) == called and replica.process.poll() is None
    acls.grant(right)
    bridge.wait_outcomes()
    assert bridge.verdict().problems == {}
    assert bridge.tail("dead").messages == []
    until(replica.ready, lambda: replica.get("/health/ready"))
