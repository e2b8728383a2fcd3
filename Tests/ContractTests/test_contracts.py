"""Schemas, AsyncAPI document and examples, against an independent validator and against what the encoder gives.

The Swift suite ContractTests leaves its samples in the folder CONTRACT_SAMPLES; scripts/test runs both.
"""

import copy
import datetime
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = ROOT / "schemas"
# A sample whose bytes are numbers is shown in base16; these are the headers that a number stands in.
NUMBERS = {"kafka_dlt-original-partition", "kafka_dlt-original-offset", "kafka_dlt-original-timestamp"}

formats = FormatChecker(formats=[])


@formats.checks("date-time", raises=ValueError)
def is_time(text) -> bool:
    if isinstance(text, str):
        datetime.datetime.fromisoformat(re.sub(r"[.]\d+", "", text.upper()).replace("Z", "+00:00"))
    return True


def ecma(node, strict: bool):
    """The schema as a JavaScript validator would read it: Python's $ also matches before a final line feed. With
    `strict`, members that no schema names are faults."""
    if isinstance(node, list):
        return [ecma(one, strict) for one in node]
    if not isinstance(node, dict):
        return node
    made = {name: ecma(value, strict) for name, value in node.items()}
    if isinstance(made.get("pattern"), str):
        made["pattern"] = re.sub(r"\$$", r"\\Z", made["pattern"])
    if strict and "properties" in made and made.get("type") == "object":
        made.setdefault("additionalProperties", False)
    return made


def load(name: str):
    return json.loads((SCHEMAS / name).read_text(encoding="utf-8"))


def validators(strict: bool) -> dict:
    schemas = {path.name: ecma(load(path.name), strict) for path in sorted(SCHEMAS.glob("*.json"))}
    registry = Registry().with_resources((name, Resource.from_contents(one)) for name, one in schemas.items())
    return {name: Draft202012Validator(one, registry=registry, format_checker=formats)
            for name, one in schemas.items()}


STRICT = validators(strict=True)
OPEN = validators(strict=False)


def faults(validator, value) -> list:
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


@pytest.fixture(scope="module")
def asyncapi():
    return yaml.safe_load((SCHEMAS / "asyncapi.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def samples() -> Path:
    folder = os.environ.get("CONTRACT_SAMPLES")
    if not folder:
        pytest.skip("CONTRACT_SAMPLES names no folder with samples of the Swift suite ContractTests")
    return Path(folder)


@pytest.mark.parametrize("name", sorted(OPEN))
def test_a_schema_is_a_schema(name):
    Draft202012Validator.check_schema(load(name))
    assert load(name)["title"] and load(name)["description"]


def test_every_sample_of_the_encoder_fits_its_schema(samples):
    found = {"valueSchema": set(), "headersSchema": set(), "keySchema": set()}
    seen = {}
    for sample in json.loads((samples / "samples.json").read_text(encoding="utf-8")):
        text = {"valueSchema": sample["value"], "keySchema": sample["key"]}
        for part in ("valueSchema", "keySchema"):
            if part not in sample:
                continue
            value = json.loads(bytes.fromhex(text[part]))
            assert faults(STRICT[sample[part]], value) == [], sample["name"]
            found[part].add(sample[part])
            seen.setdefault(sample[part], set()).update(value if isinstance(value, dict) else [])
        if "headersSchema" in sample:
            headers = added_headers(sample["headers"])
            assert faults(STRICT[sample["headersSchema"]], headers) == [], sample["name"]
            found["headersSchema"].add(sample["headersSchema"])
            seen.setdefault(sample["headersSchema"], set()).update(headers)
    assert found == {
        "valueSchema": {"campaign-started.schema.json", "campaign-started.data.schema.json",
                        "campaign-start-failed.schema.json", "campaign-start-failed.data.schema.json",
                        "ledger-entry.schema.json", "control-record.schema.json"},
        "headersSchema": {"dead-letter.headers.schema.json", "replay.headers.schema.json"},
        "keySchema": {"ledger-key.schema.json", "control-key.schema.json"},
    }
    # The other way round: the schemas promise no member that nothing ever writes.
    for name, members in seen.items():
        if "properties" in load(name):
            assert set(load(name)["properties"]) == members, name


def added_headers(pairs) -> dict:
    """The headers that the bridge added: the last of each name, as its schema shows them."""
    prefixes = ("campaign-bridge-", "__connect.errors.", "kafka_dlt-")
    headers = {}
    for name, value in pairs:
        name = bytes.fromhex(name).decode("utf-8", "replace")
        if name.startswith(prefixes):
            headers[name] = value if name in NUMBERS else bytes.fromhex(value).decode("utf-8")
    return headers


def test_each_case_of_a_request_is_taken_as_the_decoder_takes_it():
    """A case that only the decoder can refuse (bytes against characters, one time against another) says so."""
    for case in json.loads((Path(__file__).parent / "requests.json").read_text(encoding="utf-8")):
        name = "start-request.schema.json" if case["form"] == "structured" else "start-request.data.schema.json"
        should = case.get("schemaAccepts", "reason" not in case)
        assert (faults(OPEN[name], case["value"]) == []) == should, case["name"]


def message_schema(schema):
    return schema.get("schema", schema)


def test_the_examples_of_the_asyncapi_document_fit(asyncapi):
    count = 0
    for name, message in asyncapi["components"]["messages"].items():
        for example in message.get("examples", []):
            reference = message_schema(message["payload"])["$ref"].removeprefix("./")
            validator = OPEN[reference] if reference.startswith("start-request") else STRICT[reference]
            assert faults(validator, example["payload"]) == [], name
            if "headers" in example:
                assert faults(Draft202012Validator(message["headers"]), example["headers"]) == [], name
            count += 1
    assert count >= 6


def test_every_schema_is_named_by_the_asyncapi_document_or_by_another_schema():
    documents = {path.name: path.read_text(encoding="utf-8") for path in SCHEMAS.iterdir()}
    for name in OPEN:
        assert any(name in text for other, text in documents.items() if other != name), name


def test_the_examples_of_the_asyncapi_document_are_those_of_the_contracts_page(asyncapi):
    page = {name: json.loads(text) for name, text in examples_of("docs/contracts.md")}
    for message, name in (("startRequestStructured", "start-request"),
                          ("campaignStartedStructured", "campaign-started"),
                          ("campaignStartFailedStructured", "campaign-start-failed")):
        assert asyncapi["components"]["messages"][message]["examples"][0]["payload"] == page[name]


def test_the_headers_of_binary_results_are_those_that_the_encoder_writes(asyncapi, samples):
    schema = ecma(asyncapi["components"]["schemas"]["resultHeaders"], strict=True)
    names = set()
    for sample in json.loads((samples / "samples.json").read_text(encoding="utf-8")):
        if sample.get("valueSchema", "").endswith(".data.schema.json"):
            headers = {bytes.fromhex(name).decode(): bytes.fromhex(value).decode()
                       for name, value in sample["headers"]}
            assert faults(Draft202012Validator(schema), headers) == [], sample["name"]
            names |= set(headers)
    assert names == set(schema["properties"])


def test_the_channels_are_the_topics_that_the_bridge_makes(asyncapi, samples):
    made = {}
    for topic in json.loads((samples / "topics.json").read_text(encoding="utf-8")):
        made[topic["name"]] = {key: topic[key] for key in ("partitions", "replicas", "configuration")}
    told = {}
    for channel in asyncapi["channels"].values():
        binding = channel["bindings"]["kafka"]
        assert binding["topic"] == channel["address"]
        told[channel["address"]] = {
            "partitions": binding["partitions"],
            "replicas": binding["replicas"],
            "configuration": {key: ",".join(value) if isinstance(value, list) else str(value)
                              for key, value in binding.get("topicConfiguration", {}).items()},
        }
    assert told == made


def examples_of(document: str) -> list:
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(r"<!-- example: (\S+) -->\n```json\n(.*?)\n```", text, re.DOTALL)


@pytest.mark.parametrize("document, least", [("docs/contracts.md", 8), ("docs/ledger.md", 9)])
def test_the_examples_of_the_documents_fit(document, least):
    """Their names begin with that of their schema."""
    examples = examples_of(document)
    assert len(examples) >= least
    for name, text in examples:
        schema = name.split("/")[0] + ".schema.json"
        validator = OPEN[schema] if schema.startswith("start-request") else STRICT[schema]
        assert faults(validator, json.loads(text)) == [], name


def test_every_json_block_of_the_documents_is_an_example():
    for document in ("docs/contracts.md", "docs/ledger.md"):
        text = (ROOT / document).read_text(encoding="utf-8")
        assert text.count("```json") == len(examples_of(document)), document


def test_the_asyncapi_document_has_no_error_for_the_official_parser():
    tool = ROOT.parent / "shared/bin/apilint.js"
    if not tool.exists() or not shutil.which("node"):
        pytest.skip("no ../shared/bin/apilint.js, or no node")
    done = subprocess.run(["node", str(tool), str(SCHEMAS / "asyncapi.yaml")], capture_output=True, text=True,
                          timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_fault_is_found():
    """The checks above would notice: a wrong value, a missing and an unknown member."""
    validator = STRICT["campaign-started.schema.json"]
    good = json.loads(dict(examples_of("docs/contracts.md"))["campaign-started"])
    for change in ({"id": "started-1-0"}, {"time": "2026-02-30T00:00:00.000Z"}, {"more": 1}):
        assert faults(validator, {**good, **change})
    missing = copy.deepcopy(good)
    del missing["data"]["evidence"]
    assert faults(validator, missing)
