"""Processes that end or stand still at any moment: no second call, no lost event, no double outcome."""

import os
import random
import threading
import time

import pytest
from harness import until

LONG = bool(os.environ.get("LONG"))
SEED = int(os.environ.get("SEED", "1"))
KILLS = int(os.environ.get("KILLS", "120" if LONG else "24"))
# What the API does meanwhile. The first two leave an outcome unknown; the others are tried again.
FAULTS = [
    {"operations": ["start"], "probability": 0.004, "fault": {"kind": "reset", "act": True}},
    {"operations": ["start"], "probability": 0.004, "fault": {"kind": "gateway-unavailable", "act": True}},
    {"operations": ["start"], "probability": 0.02, "fault": {"kind": "unavailable"}},
    {"operations": ["start"], "probability": 0.03, "fault": {"kind": "delay", "delayAfterMilliseconds": 700}},
]
LATENCY = {"percentileMilliseconds": {"0": 5, "50": 40, "95": 200, "100": 500}}


class Flow:
    """Sends events in a thread of its own until it is ended."""

    def __init__(self, bridge, batch=15, pause=0.25, limit=20_000):
        self.bridge, self.batch, self.pause, self.limit = bridge, batch, pause, limit
        self.ended, self.failure = threading.Event(), None
        self.thread = threading.Thread(target=self.run)

    def run(self):
        try:
            while not self.ended.wait(self.pause) and len(self.bridge.events) < self.limit:
                self.bridge.send(self.batch, "flow")
        except AssertionError as error:
            self.failure = error

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join(150)
        assert self.failure is None and not self.thread.is_alive()


def first_start(bridge, replica, seconds=90):
    """How long after its own beginning a replica's first start was committed."""
    line = until(lambda: replica.log("campaign started"), f"{replica.name} starts nothing", seconds)[0]
    return seconds_since(line, replica.started_at)


def seconds_since(line, moment):
    from datetime import datetime
    return datetime.fromisoformat(line["time"].replace("Z", "+00:00")).timestamp() - moment


def take_over(bridge, dead, heir):
    """How long after a kill another replica starts campaigns of the dead one's partitions."""
    theirs = {line["partition"] for line in dead.log("campaign started")[-20:]}
    seen = len(heir.log())
    killed = bridge.kill(dead)
    assert theirs, "the replica had nothing that could be taken over"

    def taken():
        heir.log()
        return [line for line in heir.lines[seen:] if line["message"] == "campaign started"
                and line["partition"] in theirs and seconds_since(line, killed) > 0.05]

    return seconds_since(until(taken, "nothing was taken over", 90)[0], killed)


@pytest.mark.parametrize("protocol", ["range", "cooperative-sticky"] if LONG else ["range"])
def test_sigkill_at_any_moment(bridge, told, protocol):
    chance = random.Random(SEED)
    bridge.partitions = 8
    bridge.settings = {"group": {"assignmentStrategy": protocol}}
    bridge.prepare(latency=LATENCY, faults=FAULTS, seed=SEED)
    replicas = {name: bridge.start_replica(name) for name in ("r1", "r2")}
    restarts, take_overs, kills = [], [], 0
    with Flow(bridge):
        bridge.wait_outcomes(30)
        while kills < KILLS:
            # From the first moments of a process to well into its work.
            time.sleep(chance.choice([0.05, 0.3, 1, 3]) * chance.uniform(0.3, 1))
            names = ["r1", "r2"] if chance.random() < 0.2 else [chance.choice(["r1", "r2"])]
            for name in names:
                bridge.kill(replicas[name])
                kills += 1
            if chance.random() < 0.3:
                time.sleep(chance.uniform(0, 3))
            for name in names:
                replicas[name] = bridge.start_replica(name)
            if chance.random() < 0.25:
                restarts.append(first_start(bridge, replicas[names[0]]))
        for dead, heir in (("r1", "r2"), ("r2", "r1")):
            first_start(bridge, replicas[dead])
            first_start(bridge, replicas[heir])
            take_overs.append(take_over(bridge, replicas[dead], replicas[heir]))
            replicas[dead] = bridge.start_replica(dead)
            kills += 1
            restarts.append(first_start(bridge, replicas[dead]))
    bridge.wait_outcomes(seconds=180)
    verdict = bridge.verdict()
    restarts.sort()
    told(f"seed {SEED}, {protocol}: {kills} kills; {verdict}")
    told(f"take-over after a kill: {', '.join(f'{one:.1f} s' for one in take_overs)}; the same replica from its start"
         f" to its first started event: median {restarts[len(restarts) // 2]:.1f} s, longest {restarts[-1]:.1f} s")
    assert verdict.problems == {}
    until(lambda: not bridge.lag(), lambda: f"lag: {bridge.lag()}", 30, every=0.3)


def test_a_process_that_stands_still_and_goes_on_calls_nothing_again(bridge, told):
    """SIGSTOP past session and transaction timeout, in the middle of calls; then both at once, then the other one."""
    bridge.partitions = 8
    bridge.prepare(latency=LATENCY)
    replicas = {name: bridge.start_replica(name) for name in ("r1", "r2")}
    with Flow(bridge):
        for name in ("r1", "r2"):
            first_start(bridge, replicas[name])
        for stopped in (["r1"], ["r2"], ["r1", "r2"]):
            before = len(bridge.starts())
            for name in stopped:
                bridge.pause(replicas[name])
            if len(stopped) == 1:
                heir = replicas["r2" if stopped == ["r1"] else "r1"]
                # A second after the heir owns everything: the stopped one is past every timeout of the group.
                until(lambda: len({line["partition"] for line in heir.log("partition taken over")  # noqa: B023
                                   if seconds_since(line, bridge.stopped_at[stopped[0]]) > 0}) == 8,  # noqa: B023
                      "nothing was taken over", 60)
                until(lambda: len(bridge.starts()) > before + 100, "the heir starts nothing", 60)  # noqa: B023
            else:
                # Nobody is there to see anything: past the session (6 s) and the transaction's timeout (10 s).
                time.sleep(13)
            for name in stopped:
                bridge.go_on(replicas[name])
            after = len(bridge.starts())
            until(lambda: len(bridge.starts()) > after + 30, "nothing is started", 60)  # noqa: B023
    bridge.wait_outcomes(seconds=120)
    verdict = bridge.verdict()
    told(verdict)
    assert verdict.problems == {}
    assert all(one.process.poll() is None for one in replicas.values())


def test_sigterm_drains_and_leaves_nothing_open(bridge):
    bridge.prepare(latency={"fixedMilliseconds": 300})
    bridge.send(600)
    first = bridge.start_replica("r1")
    bridge.wait_outcomes(50)
    first.process.terminate()
    assert first.exit(60) == 0
    calls = len(bridge.decisions())
    entries = bridge.last_entries()
    # An answer whose outcome the ledger has not shown yet is left there a second time, as a late answer.
    late = [entry for entry in entries.values() if entry["k"] == "late"]
    assert {entries[entry["of"].encode()]["k"] for entry in late} <= {"started", "released"}
    assert {entry["k"] for entry in entries.values() if entry not in late} <= {"started", "released", "settled"}
    assert calls < 600
    assert not [line for line in first.log("outcome in doubt: it waits for the token's expiry")]
    bridge.start_replica("r2")
    bridge.wait_outcomes()
    verdict = bridge.verdict()
    assert verdict.problems == {} and not verdict.unknown


def test_restarts_one_after_another_make_no_unknown(bridge):
    """What an orchestrator does at an upgrade: SIGTERM to each replica in turn while events flow."""
    bridge.partitions = 8
    bridge.prepare(latency=LATENCY)
    replicas = {name: bridge.start_replica(name) for name in ("r1", "r2")}
    with Flow(bridge):
        bridge.wait_outcomes(20)
        for name in ("r1", "r2", "r1"):
            first_start(bridge, replicas[name])
            replicas[name].process.terminate()
            assert replicas[name].exit(60) == 0
            replicas[name] = bridge.start_replica(name)
        for name in ("r1", "r2"):
            first_start(bridge, replicas[name])
    bridge.wait_outcomes()
    verdict = bridge.verdict()
    assert verdict.problems == {} and not verdict.unknown
    assert len(bridge.tail("dead").messages) == 0


def test_two_processes_of_one_name_do_not_fight(bridge):
    bridge.prepare()
    first = bridge.start_replica("twin")
    bridge.send(1)
    bridge.wait_outcomes()
    second = bridge.start_replica("twin")
    until(lambda: first.process.poll() is not None or second.process.poll() is not None, "both still run")
    ended, other = (first, second) if first.process.poll() is not None else (second, first)
    assert ended.exit() == 5
    # One of them says so in so many words.
    assert any("replica.name" in line.get("detail", "") for line in ended.log() if line["level"] == "error")
    bridge.send(20)
    bridge.wait_outcomes()
    assert bridge.verdict().problems == {}
    assert other.process.poll() is None
