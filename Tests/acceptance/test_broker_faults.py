"""Brokers that end and come back: processing goes on by itself, and every answer gets its outcome."""

import os
import time

from harness import until
from test_kills import LATENCY, Flow

GONE = 60 if os.environ.get("LONG") else 20


def test_a_broker_that_is_killed_and_all_brokers_gone(own_broker_bridge, cluster, told):
    bridge = own_broker_bridge
    bridge.servers = cluster.up()
    bridge.partitions = 8
    bridge.prepare(latency=LATENCY)
    replicas = [bridge.start_replica(name) for name in ("r1", "r2")]
    with Flow(bridge):
        bridge.wait_outcomes(100)
        for away in (0, GONE):
            cluster.do("kill", "1")
            time.sleep(away)
            cluster.do("start", "1")
            before = len(bridge.starts())
            until(lambda: len(bridge.starts()) > before + 100, bridge.last_words, 90)  # noqa: B023
    bridge.wait_outcomes(seconds=120)
    verdict = bridge.verdict()
    told(verdict)
    assert verdict.problems == {}
    assert not verdict.unknown, "every call had an answer"
    assert all(replica.process.poll() is None for replica in replicas)
    # An outage is some lines, however long it was.
    for replica in replicas:
        # A doubt is a line of its event's.
        loud = [line for line in replica.log()
                if line.get("level") in ("warning", "error") and "request_id" not in line]
        assert len(loud) < 60 + GONE, loud[-20:]


def test_a_broker_that_stands_still(own_broker_bridge, cluster, told):
    """It accepts connections and answers nothing, past session and transaction timeout."""
    bridge = own_broker_bridge
    bridge.servers = cluster.up()
    bridge.prepare(latency=LATENCY)
    replica = bridge.start_replica("r1")
    with Flow(bridge):
        bridge.wait_outcomes(100)
        cluster.do("pause", "1")
        time.sleep(max(13, GONE - 7))
        cluster.do("resume", "1")
        before = len(bridge.starts())
        until(lambda: len(bridge.starts()) > before + 100 or replica.process.poll() is not None, bridge.last_words, 90)
        # The broker may take the member's own requests from before for those of a second process of its name.
        if replica.process.poll() is not None:
            assert replica.exit() == 5
            replica = bridge.start_replica("r1")
            until(lambda: len(bridge.starts()) > before + 100, bridge.last_words, 90)
    bridge.wait_outcomes(seconds=120)
    verdict = bridge.verdict()
    told(verdict)
    assert verdict.problems == {}
    assert not verdict.unknown, "every call had an answer"
    assert replica.process.poll() is None
