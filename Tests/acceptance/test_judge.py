"""The judge finds each kind of fault; without this, its zeros would mean nothing."""

import json

import pytest
from judge import Evidence, Event, Interruption, judge


class Message:
    def __init__(self, key=None, value=None, headers=None):
        self.parts = (key, value, headers)

    def key(self):
        return self.parts[0]

    def value(self):
        return self.parts[1]

    def headers(self):
        return self.parts[2]


EVENT = Event("e1", "cd-1", b"value of e1")
INTENT = {"k": "attempting", "by": "r1/run", "at": 1_000_000, "x": 1004, "n": 1}


def call(decision="started", instance="cid-1", fault=None):
    return {"operation": "start", "campaignId": "cd-1", "decision": decision, "campaignInstanceId": instance,
            "fault": fault}


def started(instance="cid-1", identity="e1"):
    data = {"campaignId": "cd-1", "campaignInstanceId": instance, "requestId": identity, "requestSource": "/crm"}
    return Message(value=json.dumps({"data": data}).encode())


def letter(reason=b"outcome-unknown", safe=b"false", value=EVENT.value):
    return Message(value=value, headers=[("campaign-bridge-reason", reason), ("campaign-bridge-safe-to-replay", safe)])


def entries(*states):
    return [Message(EVENT.key, json.dumps(state).encode()) for state in states]


def good():
    return Evidence([EVENT], [call()], [started()], [], entries(INTENT, {"k": "started"}))


def test_a_run_without_a_fault_has_none():
    assert judge(good()).problems == {}


def test_an_unknown_after_a_lost_answer_is_none():
    one = good()
    one.decisions, one.started, one.dead = [call(fault="reset")], [], [letter()]
    one.ledger = entries(INTENT, {"k": "deadLettered"})
    assert judge(one).problems == {}


def test_an_unknown_of_a_killed_replica_is_none():
    one = good()
    one.started, one.dead, one.ledger = [], [letter()], entries(INTENT, {"k": "deadLettered"})
    one.interruptions = [Interruption("r1", 1002, 1002)]
    assert judge(one).problems == {}
    for other in (Interruption("r2", 1002, 1002), Interruption("r1", 999, 999), Interruption("r1", 1010, 1010)):
        one.interruptions = [other]
        assert judge(one).problems == {"unknown without a cause": ["cd-1"]}


@pytest.mark.parametrize(("what", "change"), [
    ("second calls", {"decisions": [call(), call(instance="cid-2")],
                      "ledger": entries(INTENT, INTENT, {"k": "started"})}),
    ("lost", {"started": []}),
    ("double outcomes", {"started": [started(), started()]}),
    ("calls without an intent", {"ledger": entries({"k": "started"})}),
    ("started events without a start", {"decisions": [call("refused", None)]}),
    ("wrong instances", {"started": [started("cid-9")]}),
    ("wrong identities", {"started": [started(identity="e2")]}),
    ("started and safe to replay", {"started": [], "dead": [letter(b"rejected", b"true")],
                                    "ledger": entries(INTENT, {"k": "deadLettered"})}),
    ("ledger and outcome differ", {"ledger": entries(INTENT)}),
    ("of no event", {"dead": [letter(b"rejected", b"true", b"other")]}),
])
def test_each_fault_is_found(what, change):
    one = good()
    for name, value in change.items():
        setattr(one, name, value)
    problems = judge(one).problems
    assert set(problems) == {what}
