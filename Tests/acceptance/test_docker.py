"""The image and the compose file, as far as they can be checked without a container engine."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker/compose.yaml").read_text())
DOCKERFILE = (ROOT / "docker/Dockerfile").read_text()


def packages(stage: str) -> set[str]:
    text = DOCKERFILE.split("FROM ")[stage == "run" and 2 or 1].replace("\\\n", " ")
    return set(re.search(r"--no-install-recommends(.*?)&&", text, re.S).group(1).split())


def test_the_image_is_built_from_what_the_repository_installs():
    setup = (ROOT / "scripts/setup").read_text()
    libraries = {one for one in packages("build") if one.startswith("lib") and not one.startswith("libstdc++")}
    assert len(libraries) == 6
    assert all(one in setup for one in libraries)


def test_the_image_runs_as_a_numeric_user_that_is_not_root():
    user = re.search(r"^USER (\d+):(\d+)$", DOCKERFILE, re.M)
    assert user and int(user.group(1)) > 0


def test_every_library_of_the_program_comes_with_the_packages_of_the_image(binary):
    """Each library that the program itself names belongs to a package of the runtime stage, or to the C runtime."""
    if not shutil.which("dpkg-query") or "trixie" not in Path("/etc/os-release").read_text():
        pytest.skip("the image's packages are Debian 13's, and this is another system")
    named = subprocess.run(["objdump", "-p", binary], capture_output=True, text=True, check=True).stdout
    for library in re.findall(r"NEEDED\s+(\S+)", named):
        owners = subprocess.run(["dpkg-query", "-S", f"*/{library}"], capture_output=True, text=True, check=True).stdout
        owner = {line.split(":")[0] for line in owners.splitlines() if not line.startswith("diversion")}
        assert owner & (packages("run") | {"libc6", "libgcc-s1", "libstdc++6"}), f"{library} is of {owner}"


def test_every_mounted_file_of_the_compose_file_is_there():
    files = [secret["file"] for secret in COMPOSE["secrets"].values()]
    files += [volume.split(":")[0] for service in COMPOSE["services"].values() for volume in service.get("volumes", [])]
    assert len(files) > 2
    for file in files:
        assert (ROOT / "docker" / file).is_file(), file


def test_replicas_have_names_of_their_own_that_stay():
    replicas = [one for one in COMPOSE["services"].values() if one.get("command", [""])[0] == "run"]
    assert len(replicas) == 2
    assert len({one["hostname"] for one in replicas}) == 2


def test_the_replicas_configuration_fits_the_schema():
    schema = ROOT / "docs/configuration.schema.json"
    if not schema.exists():
        pytest.skip("docs/configuration.schema.json is not there")
    import json

    import jsonschema

    jsonschema.validate(yaml.safe_load((ROOT / "docker/bridge.yaml").read_text()), json.loads(schema.read_text()))


def test_the_simulator_knows_the_app_of_the_replicas():
    import json

    [app] = json.loads((ROOT / "docker/simulator.json").read_text())["apps"]
    connection = yaml.safe_load((ROOT / "docker/bridge.yaml").read_text())["connections"]["simulator"]
    assert (app["clientId"], app["accountId"]) == (connection["clientId"], connection["accountId"])
    assert app["key"] == (ROOT / "docker/client-secret.example").read_text().strip()
