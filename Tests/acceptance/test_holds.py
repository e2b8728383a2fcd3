"""Holds by command: written, in force everywhere, kept over restarts, ended."""

from commands import replica_record, run, shown, story
from harness import STREAM, until


def held(bridge) -> list:
    return run(bridge, "holds").result["holds"]


def test_a_hold_without_replicas_is_in_force_at_once_and_can_be_ended(bridge):
    bridge.prepare()
    assert held(bridge) == []
    done = run(bridge, "hold", "all", "--because", "incident 7", "--who", "ann")
    assert (done.result["scope"], done.result["inForce"], done.result["replicas"]) == (["all"], True, [])
    (one,) = held(bridge)
    assert (one["scope"], one["who"], one["why"], one["inForce"]) == (["all"], "ann", "incident 7", True)
    assert "everything" in shown(bridge, "holds")
    run(bridge, "resume", "stream", "st-1", "--because", "x", check=1)
    run(bridge, "hold", "account", "mian", "--because", "x", check=2)
    run(bridge, "hold", "stream", "a/b", "--because", "x", check=2)
    run(bridge, "resume", "all", "--because", "over")
    assert held(bridge) == []


def test_a_replica_that_does_not_confirm_is_awaited_until_its_lease_ends(bridge):
    """The replica is played: it writes its record and then nothing more."""
    bridge.prepare()
    replica_record(bridge, "r1/a", 600)
    done = run(bridge, "hold", "all", "--because", "x", "--wait", "1s", check=4)
    assert done.result["inForce"] is False
    assert [(one["owner"], one["confirmed"]) for one in done.result["replicas"]] == [("r1/a", False)]
    assert held(bridge)[0]["inForce"] is False
    replica_record(bridge, "r1/a", 600, seen=99)
    assert held(bridge)[0]["inForce"] is True
    replica_record(bridge, "r1/a", 2)
    assert run(bridge, "hold", "all", "--because", "y", "--wait", "30s").result["inForce"] is True
    replica_record(bridge, "r1/a", 600)
    replica_record(bridge, "r1/a", None)
    assert run(bridge, "hold", "all", "--because", "z", "--wait", "30s").result["replicas"] == []


def test_nothing_that_is_held_is_called_and_all_of_it_is_after_the_end(bridge):
    bridge.prepare()
    for name in ("r1", "r2"):
        bridge.start_replica(name)
    until(lambda: all(replica.ready() for replica in bridge.replicas), "the replicas are not ready")
    bridge.send(4, "first")
    bridge.wait_outcomes(4)
    done = run(bridge, "hold", "all", "--because", "incident")
    assert done.result["inForce"] is True
    assert len(done.result["replicas"]) == 2 and all(one["confirmed"] for one in done.result["replicas"])
    bridge.send(20, "held")
    # A process that begins while all is held knows it before its first call.
    bridge.replicas[0].process.terminate()
    assert bridge.replicas[0].exit() == 0
    bridge.start_replica("r1")
    until(lambda: bridge.replicas[-1].log("listening"), "the replica does not listen")
    assert len(bridge.starts()) == 4
    one = story(bridge, "held4")
    assert one["holds"][0]["scope"] == ["all"] and one["holds"][0]["why"] == "incident"
    run(bridge, "resume", "all", "--because", "over")
    bridge.wait_outcomes(24)
    assert len(bridge.starts()) == 24 and bridge.verdict().problems == {}


def test_one_campaign_held_stops_no_other(bridge):
    bridge.prepare()
    bridge.start_replica("r1")
    until(lambda: bridge.replicas[0].ready(), "the replica is not ready")
    run(bridge, "hold", "campaign", STREAM, "cd-e-1", "--because", "list is wrong")
    bridge.send(3)
    bridge.wait_outcomes(2)
    assert sorted(bridge.starts()) == ["cd-e-0", "cd-e-2"]
    run(bridge, "resume", "campaign", STREAM, "cd-e-1", "--because", "corrected")
    bridge.wait_outcomes(3)
