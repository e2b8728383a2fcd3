"""What the acceptance tests share.

scripts/test sets BRIDGE_BINARY and, where there is a broker, KAFKA_BOOTSTRAP_SERVERS and KAFKA_HOME. A test of
something that is not here is skipped with the reason.
"""

import os
import shutil
import subprocess
import uuid
from pathlib import Path

import pytest
from harness import Deployment

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def binary() -> Path:
    """The release binary."""
    path = Path(os.environ.get("BRIDGE_BINARY", ROOT / ".build/release/campaign-bridge"))
    if not path.exists():
        pytest.fail(f"{path} is not built: run make build")
    return path


@pytest.fixture(scope="session")
def brokers() -> str:
    """The bootstrap servers of a real broker that is shared by all tests: use names of your own on it."""
    servers = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    if not servers:
        pytest.skip("no real broker: set KAFKA_HOME or KAFKA_BOOTSTRAP_SERVERS")
    return servers


@pytest.fixture
def told(record_property):
    """Takes a figure or verdict that is printed after all tests, whether they passed or not."""
    return lambda text: record_property("told", str(text))


def pytest_terminal_summary(terminalreporter):
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.stats.get(outcome, [])
               if report.when == "call"]
    lines = [(report.nodeid.split("::")[-1], text) for report in reports
             for name, text in report.user_properties if name == "told"]
    if lines:
        terminalreporter.section("verdicts and figures")
    for test, text in lines:
        terminalreporter.write_line(f"{test}: {text}")


@pytest.fixture
def unique() -> str:
    """A name for topics and groups that no other test uses."""
    return "t" + uuid.uuid4().hex[:12]


class Cluster:
    """A Kafka cluster of a test's own, which it may kill, stop and pause."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.env: dict[str, str] = {}

    def do(self, verb: str, *arguments: str) -> str:
        done = subprocess.run([ROOT / "scripts/kafka", verb, self.folder, *arguments], capture_output=True, text=True,
                              timeout=200, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def up(self, *arguments: str) -> str:
        lines = self.do("up", *arguments).splitlines()
        self.env = dict(line.split("=", 1) for line in lines)
        return self.env["KAFKA_BOOTSTRAP_SERVERS"]


def own_cluster(folder: Path):
    """A cluster that is not up yet; gone when what uses it is over."""
    if not os.environ.get("KAFKA_HOME") and not (ROOT.parent / "shared/kafka/libs").is_dir():
        pytest.skip("no Kafka distribution: set KAFKA_HOME")
    if not os.environ.get("JAVA_HOME") and not shutil.which("java"):
        pytest.skip("no Java 17 or newer")
    one = Cluster(folder / "kafka")
    yield one
    one.do("wipe")


@pytest.fixture
def cluster(tmp_path):
    yield from own_cluster(tmp_path)


@pytest.fixture(scope="session")
def secured(tmp_path_factory):
    """A cluster with TLS, logins and ACLs that is up; use names of your own on it."""
    for one in own_cluster(tmp_path_factory.mktemp("secured")):
        one.up("--secure")
        yield one


@pytest.fixture
def secured_bridge(binary, secured, unique, tmp_path):
    """A deployment on the secured cluster, which a test lets in with its `settings`."""
    one = Deployment(binary, secured.env["KAFKA_BOOTSTRAP_SERVERS"], unique, tmp_path)
    yield one
    one.stop()


@pytest.fixture
def bridge(binary, brokers, unique, tmp_path):
    """A deployment on the shared broker; its processes are gone after the test."""
    one = Deployment(binary, brokers, unique, tmp_path)
    yield one
    one.stop()


@pytest.fixture
def own_broker_bridge(binary, cluster, unique, tmp_path):
    """A deployment with brokers of its own, which are up when the test has called `cluster.up`."""
    one = Deployment(binary, "", unique, tmp_path)
    yield one
    one.stop()
