"""The API is away, slow, full or strange for a while: events wait, and only what is truly unknown is a dead letter."""

import time

import pytest
from harness import until
from evidence import Interruption


def test_an_api_that_is_down_at_the_start_delays_and_loses_nothing(bridge):
    bridge.prepare()
    bridge.kill_simulator()
    bridge.send(40)
    replica = bridge.start_replica("r1")
    until(lambda: len(replica.log("attempt released")) > 5, "nothing was tried")
    assert bridge.outcomes() == 0
    bridge.start_simulator()
    bridge.wait_outcomes()
    verdict = bridge.verdict()
    assert verdict.problems == {} and bridge.tail("dead").messages == []


def test_an_api_that_ends_in_the_middle_of_calls(bridge, told):
    bridge.prepare(latency={"fixedMilliseconds": 100})
    bridge.send(2000)
    bridge.start_replica("r1")
    bridge.wait_outcomes(100)
    now = time.time()
    bridge.kill_simulator()
    down = Interruption("*", now - 0.1, time.time() + 0.1)
    until(lambda: len(bridge.replicas[0].log("connection fails: its events wait")) > 0, "the circuit does not open")
    bridge.start_simulator(latency={"fixedMilliseconds": 20})
    bridge.wait_outcomes()
    verdict = bridge.verdict([down])
    told(verdict)
    assert verdict.problems == {}
    # Only what was under way at that moment, 64 at most.
    assert len(bridge.tail("dead").messages) == len(verdict.unknown) <= 64


WAITING = {
    "429": {"kind": "rate-limited"},
    "429 with Retry-After": {"kind": "rate-limited", "retryAfter": "1"},
    "503 of the API itself": {"kind": "unavailable"},
    "a page instead of the API": {"kind": "html-error", "status": 404},
}


@pytest.mark.parametrize("what", WAITING)
def test_an_api_that_refuses_everything_for_a_while_makes_no_dead_letter(bridge, what):
    bridge.prepare(faults=[{"operations": ["start"], "fault": {**WAITING[what], "act": False}}])
    bridge.send(30)
    bridge.start_replica("r1")
    until(lambda: len(bridge.decisions()) >= 5, "nothing was tried")
    time.sleep(2)
    tried = len(bridge.decisions())
    assert bridge.outcomes() == 0, bridge.verdict()
    # The account or its circuit pauses: it does not hammer an API that is in trouble.
    assert tried < 300
    bridge.set_faults()
    bridge.wait_outcomes()
    verdict = bridge.verdict()
    assert verdict.problems == {} and bridge.tail("dead").messages == []


@pytest.mark.parametrize("fault", ["stall", "garbage", "html-error"])
def test_an_api_that_leaves_outcomes_unknown_gets_few_calls_until_it_answers(bridge, told, fault):
    """Each such call is an unknown that a person must look at: the circuit keeps them few."""
    bridge.connection = {"maximumInFlight": 4}
    bridge.settings = {"circuit": {"failures": 3, "openFor": "2s"}}
    bridge.prepare(faults=[{"operations": ["start"], "fault": {"kind": fault, "act": False}}])
    bridge.send(100)
    bridge.start_replica("r1")
    until(lambda: bridge.replicas[0].log("connection fails: its events wait"), "the circuit does not open")
    time.sleep(3)
    bridge.set_faults()
    bridge.wait_outcomes()
    verdict = bridge.verdict()
    told(f"{fault}: {verdict}")
    assert verdict.problems == {}
    assert 3 <= len(verdict.unknown) == len(bridge.tail("dead").messages) <= 12


def test_a_throttled_account_does_not_hold_up_another(bridge):
    other = "st-other-account"
    bridge.prepare(faults=[{"campaign": "cd-slow-*", "fault": {"kind": "rate-limited", "retryAfter": "600"}}])
    config = bridge.config

    def with_two(replica):
        import yaml
        file = config(replica)
        settings = yaml.safe_load(file.read_text())
        main = settings["connections"]["main"]
        settings["connections"]["second"] = {**main, "streams": [other], "accountId": "5f0000000000000000000002"}
        file.write_text(yaml.safe_dump(settings))
        return file

    bridge.config = with_two
    slow = bridge.send(20, "slow", partition=0)
    quick = bridge.send(20, "quick", partition=0, streamId=other)
    bridge.start_replica("r1")
    bridge.wait_outcomes(20)
    assert sorted(bridge.starts()) == sorted(event.campaign for event in quick)
    assert not set(bridge.starts()) & {event.campaign for event in slow}
