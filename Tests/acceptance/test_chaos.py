"""A short run of seeded trouble; `make chaos` makes longer ones, `make chaos-bites` shows that the judge bites."""

import os
import shutil
from collections import Counter

import pytest
from chaos.mix import Mix, read
from chaos.plan import API_FAULTS, KINDS, Scene, plan
from chaos.run import Options, run, table

SEED = int(os.environ.get("SEED", "1"))
EVERYTHING = Scene(("r1", "r2", "r3"))


def test_a_plan_follows_from_its_seed_alone():
    assert plan(7, 600, EVERYTHING) == plan(7, 600, EVERYTHING) != plan(8, 600, EVERYTHING)


def test_a_plan_has_every_kind_and_no_target_twice_at_a_time():
    steps = plan(1, 1200, EVERYTHING)
    assert {step.kind for step in steps} == set(KINDS)
    assert {step.detail["fault"] for step in steps if step.kind == "api-fault"} == set(API_FAULTS)
    free = {}
    for step in steps:
        assert free.get(step.target, 0) <= step.at and step.at + step.seconds <= 1200
        free[step.target] = step.at + step.seconds
    assert not {step.kind for step in plan(1, 1200, Scene(("r1",), has_network=False, without=frozenset({"hold"})))} & {
        "kill-away", "cut-from-api", "hold"}


def test_the_mix_has_every_kind_and_repeats_go_to_their_partition():
    mix = Mix(1, 1, ["st-1"])
    lines = [mix.next(number / 10, 4) for number in range(2000)]
    events = [read(line) for line in lines]
    assert set(Counter(event.kind for event, _ in events)) == {"ordinary", "expiring", "invalid", "unknown-stream"}
    places, campaigns = {}, {}
    for event, record in events:
        assert places.setdefault(event.value, record["partition"]) == record["partition"]
        if event.id:
            assert places.setdefault(event.id, record["partition"]) == record["partition"]
            campaigns.setdefault(event.id, set()).add(event.campaign)
    assert len(places) < len(events) + len(campaigns)
    assert any(len(some) > 1 for some in campaigns.values()), "no conflict"
    without_keys = Mix(1, 1, ["st-1"], has_keys=False)
    places = {}
    for _, record in (read(without_keys.next(number / 10, 4)) for number in range(2000)):
        assert record["key"] is None
        places.setdefault(record["value"], set()).add(record["partition"])
    assert any(len(some) > 1 for some in places.values()), "no repeat in another partition"
    again = Mix(1, 1, ["st-1"])
    assert [again.next(number / 10, 4) for number in range(2000)] == lines


def test_a_short_run_is_clean(binary, tmp_path, told):
    if not os.environ.get("KAFKA_HOME") or not (os.environ.get("JAVA_HOME") or shutil.which("java")):
        pytest.skip("no Kafka distribution (KAFKA_HOME), or no Java 17 or newer")
    options = Options(seed=SEED, seconds=75, replicas=2, nodes=1, gap=2, rekey=bool(os.environ.get("REKEY")))
    report = run(binary, tmp_path, options)
    told(table(report, options))
    assert report.verdict.problems == {} and report.complaints == []
    assert report.verdict.counts["starts"] > 100
