"""The judge finds each kind of fault; without this, its zeros would mean nothing."""

import json

import pytest
from evidence import Evidence, Event, Hold, Interruption
from judge import KINDS, judge


class Message:
    """As confluent-kafka's: a record of the source, of a result topic or of the ledger."""

    def __init__(self, key=None, value=None, headers=None, place=(0, 0), time=0):
        self.parts = (key, value, headers)
        self.place, self.time = place, time

    def key(self):
        return self.parts[0]

    def value(self):
        return self.parts[1]

    def headers(self):
        return self.parts[2]

    def partition(self):
        return self.place[0]

    def offset(self):
        return self.place[1]

    def timestamp(self):
        return (1, self.time * 1000)


EVENT = Event("e1", "cd-1", b"value of e1")
INTENT = {"k": "attempting", "by": "r1/run", "at": 1_000_000, "x": 1004, "n": 1}


def call(decision="started", instance="cid-1", fault=None, campaign="cd-1", trace="", time=1001):
    return {"operation": "start", "campaignId": campaign, "decision": decision, "campaignInstanceId": instance,
            "fault": fault, "requestId": trace, "time": f"1970-01-01T00:{time // 60:02}:{time % 60:02}.000Z"}


def started(instance="cid-1", identity="e1", campaign="cd-1", place=(0, 0), generation=0, evidence="answer"):
    data = {"campaignId": campaign, "campaignInstanceId": instance, "requestId": identity, "requestSource": "/crm",
            "sourcePartition": place[0], "sourceOffset": place[1], "generation": generation, "evidence": evidence}
    return Message(value=json.dumps({"data": data}).encode())


def letter(reason=b"outcome-unknown", safe=b"false", value=EVENT.value, place=(0, 0), time=0, generation=0):
    return Message(value=value, time=time, headers=[
        ("campaign-bridge-reason", reason), ("campaign-bridge-safe-to-replay", safe),
        ("campaign-bridge-source-partition", str(place[0]).encode()),
        ("campaign-bridge-source-offset", str(place[1]).encode()), ("campaign-bridge-nonce", b"n%d" % generation),
        ("campaign-bridge-generation", b"%d" % generation)])


def entries(*states, key=EVENT.key):
    return [Message(key, json.dumps(state).encode()) for state in states]


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


def test_an_unknown_of_a_replica_that_is_killed_while_no_broker_takes_its_outcome_is_none():
    one = good()
    one.started, one.dead, one.ledger = [], [letter()], entries(INTENT, {"k": "deadLettered"})
    one.interruptions = [Interruption("r1", 1030, 1030)]
    for outages in ([], [(900, 999)], [(1006, 1029)], [(1004, 1010)]):
        one.outages = outages
        assert judge(one).problems == {"unknown without a cause": ["cd-1"]}
    for outages in ([(1004, 1020)], [(990, 1005), (1018, 1019)]):
        one.outages = outages
        assert judge(one).problems == {}


FAULTS = [
    ("second calls", {"decisions": [call(), call(instance="cid-2")],
                      "ledger": entries(INTENT, INTENT, {"k": "started"})}),
    ("lost", {"started": []}),
    ("double outcomes", {"started": [started(), started()]}),
    ("calls without an intent", {"ledger": entries({"k": "started"})}),
    ("started events without a start", {"decisions": [call("refused", None)]}),
    ("wrong instances", {"started": [started("cid-9")]}),
    ("wrong identities", {"started": [started(identity="e2")]}),
    ("wrong places", {"places": {EVENT.value: {(3, 3)}}}),
    ("started and safe to replay", {"decisions": [call(fault="content-type")], "started": [],
                                    "dead": [letter(b"rejected", b"true")],
                                    "ledger": entries(INTENT, {"k": "deadLettered"})}),
    ("rejected without a cause", {"decisions": [call("lost", None)], "started": [],
                                  "dead": [letter(b"rejected", b"true")],
                                  "ledger": entries(INTENT, {"k": "deadLettered"})}),
    ("wrong reasons", {"decisions": [], "started": [], "dead": [letter(b"expired", b"true")],
                       "ledger": entries({"k": "deadLettered"})}),
    ("unknown without a cause", {"started": [], "dead": [letter()], "ledger": entries(INTENT, {"k": "deadLettered"})}),
    ("ledger and outcome differ", {"ledger": entries(INTENT)}),
    ("of no event", {"dead": [letter(b"rejected", b"true", b"other")]}),
]


@pytest.mark.parametrize(("what", "change"), FAULTS)
def test_each_fault_is_found(what, change):
    one = good()
    for name, value in change.items():
        setattr(one, name, value)
    problems = judge(one).problems
    assert set(problems) == {what}


# A whole source: an event and its repeat, another one in conflict with it, a record that is no event, one that expires,
# one of an unknown stream, and one that the producer never got through. Two events of one campaign.
FIRST = Event("a", "cd", b"first", trace="t1", stream="st-1")
CONFLICT = Event("a", "cd-other", b"conflict", trace="t2")
NOISE = Event("", "", b"\xff", kind="invalid", trace="t3")
EXPIRING = Event("b", "cd", b"expiring", kind="expiring", trace="t4", expires=1010)
STRANGE = Event("c", "cd-c", b"strange", kind="unknown-stream", trace="t5")
UNSENT = Event("d", "cd-d", b"unsent", trace="t6")


def own(offset):
    key = json.dumps(["position", f"source/0/{offset}", "0", "hash"]).encode()
    return entries({"k": "deadLettered"}, key=key)


def whole():
    values = [FIRST, CONFLICT, NOISE, FIRST, NOISE, EXPIRING, STRANGE]
    return Evidence(
        [FIRST, CONFLICT, NOISE, EXPIRING, STRANGE, UNSENT],
        [call(campaign="cd", trace="t1"), call(campaign="cd", trace="t4", instance="cid-2")],
        [started("cid-1", "a", "cd", (0, 0)), started("cid-2", "b", "cd", (0, 5))],
        [letter(b"identity-conflict", b"true", b"conflict", (0, 1)), letter(b"invalid-json", b"true", b"\xff", (0, 2)),
         letter(b"invalid-json", b"true", b"\xff", (0, 4)), letter(b"unknown-stream", b"true", b"strange", (0, 6))],
        [*entries(INTENT, {"k": "started"}, key=FIRST.key), *entries(INTENT, {"k": "started"}, key=EXPIRING.key),
         *entries({"k": "deadLettered"}, key=STRANGE.key), *own(1), *own(2), *own(4)],
        records=[Message(value=event.value, place=(0, offset)) for offset, event in enumerate(values)],
        acknowledged={(0, 0), (0, 6)})


def test_a_whole_source_without_a_fault_has_none():
    verdict = judge(whole())
    assert verdict.problems == {}
    assert verdict.counts["starts"] == 2


def test_the_record_that_stands_first_has_the_identity():
    """A producer that sends again after a fault may put a later record before an earlier one."""
    one = whole()
    one.records[0], one.records[1], one.records[3] = (
        Message(value=event.value, place=(0, offset))
        for offset, event in ((0, CONFLICT), (1, FIRST), (3, CONFLICT)))
    one.decisions[0] = call(campaign="cd-other", trace="t2")
    one.started[0] = started("cid-1", "a", "cd-other", (0, 0))
    one.dead[0] = letter(b"identity-conflict", b"true", b"first", (0, 1))
    assert judge(one).problems == {}


def replay_headers(generation, nonce, **more):
    return [("campaign-bridge-replay-generation", b"%d" % generation), ("campaign-bridge-replay-nonce", nonce),
            *((f"campaign-bridge-replay-{name}", value) for name, value in more.items())]


def changed(**lists):
    """The whole source with members of its lists replaced, added (at the end) or taken away (None)."""
    one = whole()
    for name, members in lists.items():
        values = getattr(one, name)
        for index, value in sorted(members.items(), reverse=True):
            values[index:index + 1] = [] if value is None else [value]
    return one


WHOLE_FAULTS = [
    ("second calls", "a cd", changed(decisions={9: call(campaign="cd", trace="t1", instance="cid-9")})),
    ("lost", "a cd-other", changed(dead={0: None})),
    ("lost", " ", changed(dead={2: None})),
    ("lost", "c cd-c", changed(dead={3: None})),
    ("double outcomes", " ", changed(dead={9: letter(b"invalid-json", b"true", b"\xff", (0, 4))})),
    ("double outcomes", "a cd", changed(started={9: started("cid-1", "a", "cd", (0, 3))})),
    ("wrong instances", "b cd", changed(started={1: started("cid-1", "b", "cd", (0, 5))})),
    ("wrong identities", "a cd", changed(started={0: started("cid-1", "a", "cd-other", (0, 0))})),
    ("wrong reasons", "a cd-other", changed(dead={0: letter(b"unknown-stream", b"true", b"conflict", (0, 1))})),
    ("calls of refused events", "a cd-other", changed(decisions={9: call("lost", None, campaign="cd-other",
                                                                         trace="t2")})),
    ("calls of refused events", "c cd-c", changed(decisions={9: call("lost", None, campaign="cd-c", trace="t5")})),
    ("calls after the expiry", "b cd", changed(decisions={1: call(campaign="cd", trace="t4", instance="cid-2",
                                                                  time=1016)})),
    ("calls after the expiry", "b cd", changed(ledger={2: entries({**INTENT, "at": 1_010_001}, key=EXPIRING.key)[0]})),
    ("expired too early", "b cd", changed(
        decisions={1: None}, started={1: None}, ledger={3: entries({"k": "deadLettered"}, key=EXPIRING.key)[0]},
        dead={9: letter(b"expired", b"true", b"expiring", (0, 5), time=1009)})),
    ("ledger and outcome differ", "a cd-other", changed(ledger={5: None})),
    ("of no event", "d cd-d", changed(decisions={9: call(campaign="cd-d", trace="t6")})),
    ("of no event", "cd-x", changed(decisions={9: call(campaign="cd-x", trace="t1")})),
    ("of no event", "record (0, 7)", changed(records={9: Message(value=b"nobody's", place=(0, 7))})),
    ("acknowledged and not in the source", "(0, 8)", changed()),
    ("intents under a hold", "a cd", changed(holds={9: Hold(999, 1001, ("st-1",))})),
    ("replays that answer nothing", "c cd-c", changed(
        records={9: Message(value=b"strange", place=(0, 7), headers=replay_headers(1, b"wrong"))},
        dead={9: letter(b"unknown-stream", b"true", b"strange", (0, 7), generation=1)})),
]


@pytest.mark.parametrize(("what", "name", "one"), WHOLE_FAULTS)
def test_each_fault_in_a_whole_source_is_found(what, name, one):
    if what.startswith("acknowledged"):
        one.acknowledged.add((0, 8))
    if what == "second calls":
        # With an intent for each of them.
        one.ledger.insert(0, entries(INTENT, key=FIRST.key)[0])
    assert judge(one).problems == {what: [name]}


# An event that was rejected, replayed twice by two operators, and then started; and one that was refused a replay.
REPLAYED = Event("r", "cd-r", b"replayed", trace="t7", stream="st-1")


def replay(offset, generation=1, nonce=b"n0", **more):
    return Message(value=b"replayed", place=(0, offset), headers=replay_headers(generation, nonce, **more))


def replays():
    return Evidence(
        [REPLAYED],
        [call("refused", None, campaign="cd-r", trace="t7"), call(campaign="cd-r", trace="t7", time=1021)],
        [started("cid-1", "r", "cd-r", (0, 1), generation=1)],
        [letter(b"rejected", b"true", b"replayed", (0, 0)),
         letter(b"replay-refused", b"false", b"replayed", (0, 3), generation=7)],
        [*entries(INTENT, {"k": "deadLettered", "g": 0}, {**INTENT, "g": 1, "at": 1_020_000}, {"k": "started", "g": 1},
                  key=REPLAYED.key), *own(3)],
        records=[Message(value=b"replayed"), replay(1), replay(2), replay(3, 7, b"wrong")])


def test_a_replay_that_starts_is_no_fault():
    assert judge(replays()).problems == {}


@pytest.mark.parametrize(("what", "change"), [
    ("second calls", {"decisions": [call(campaign="cd-r", trace="t7", instance="cid-0"),
                                    call(campaign="cd-r", trace="t7", time=1021)]}),
    ("lost", {"started": [], "ledger": [*replays().ledger[:3], *entries({"k": "deadLettered"}, key=REPLAYED.key),
                                        *own(3)]}),
    ("double outcomes", {"started": [started("cid-1", "r", "cd-r", (0, offset), offset) for offset in (1, 2)]}),
    ("ledger and outcome differ", {"ledger": replays().ledger[:-1]}),
    ("intents under a hold", {"holds": [Hold(1019, 1022, ("st-1", "st-2"))]}),
    ("intents under a hold", {"holds": [Hold(1019, 1022, ("st-1",), "cd-r")]}),
])
def test_each_fault_of_a_replay_is_found(what, change):
    one = replays()
    for name, value in change.items():
        setattr(one, name, value)
    problems = judge(one).problems
    assert what in problems
    assert set(problems) <= {what, "started and safe to replay", "rejected without a cause"}


def false_finding():
    """An unknown that was started; a person says that it was not."""
    one = replays()
    one.decisions = [call(fault="reset", campaign="cd-r", trace="t7", instance="cid-0"),
                     call(campaign="cd-r", trace="t7", time=1021)]
    one.dead[0] = letter(b"outcome-unknown", b"false", b"replayed", (0, 0))
    one.records[1] = replay(1, finding=b"not-started")
    one.mistakes = {(b"n0", b"not-started")}
    return one


def test_a_false_finding_excuses_one_start_of_its_event_and_is_counted():
    verdict = judge(false_finding())
    assert verdict.problems == {} and verdict.counts["second starts after a false finding"] == 1
    one = false_finding()
    one.mistakes = set()
    assert judge(one).problems == {"second calls": ["r cd-r"]}
    one = false_finding()
    one.decisions.append(call(campaign="cd-r", trace="t7", time=1022))
    assert "second calls" in judge(one).problems


def test_a_start_that_a_person_denied_does_not_make_the_next_dead_letter_unsafe():
    one = false_finding()
    one.decisions[1] = call("refused", None, campaign="cd-r", trace="t7", time=1021)
    one.started, one.dead = [], [*one.dead, letter(b"rejected", b"true", b"replayed", (0, 1), generation=1)]
    one.ledger[3] = entries({"k": "deadLettered", "g": 1}, key=REPLAYED.key)[0]
    assert judge(one).problems == {}
    one.decisions[1] = call(campaign="cd-r", trace="t7", time=1021, fault="content-type")
    assert judge(one).problems == {"started and safe to replay": ["r cd-r"]}


def test_a_false_finding_that_the_bridge_refuses_is_counted():
    one = false_finding()
    one.records[2] = replay(3, finding=b"not-started")
    verdict = judge(one)
    assert verdict.counts["false findings refused"] == 1
    assert "second starts after a false finding" in verdict.counts
    one.records[1] = replay(1, finding=b"started")
    assert judge(one).problems == {"second calls": ["r cd-r"]}


def test_a_started_event_of_a_false_finding_is_counted():
    one = false_finding()
    one.decisions = [call("lost", None, campaign="cd-r", trace="t7", fault="reset")]
    one.records[1], one.mistakes = replay(1, finding=b"started"), {(b"n0", b"started")}
    one.started = [started("cid-mistaken", "r", "cd-r", (0, 1), 1, "operator")]
    one.ledger.pop(2)
    verdict = judge(one)
    assert verdict.problems == {} and verdict.counts["started events of a false finding"] == 1
    one.mistakes = set()
    assert judge(one).problems == {"started events without a start": ["r cd-r"]}


def test_a_replay_without_the_finding_that_it_needs_is_only_refused():
    one = false_finding()
    one.records[1], one.mistakes = replay(1), set()
    one.decisions.pop(0)
    one.dead[0] = letter(b"outcome-unknown", b"false", b"replayed", (0, 0))
    assert "replays that answer nothing" in judge(one).problems


# With intake: the records of one identity stand in several partitions of the source, and where they were moved to says
# which of them leads.


def moved(origin, place):
    return Message(place=place, headers=[("campaign-bridge-intake-partition", b"%d" % origin[0]),
                                         ("campaign-bridge-intake-offset", b"%d" % origin[1])])


def with_intake():
    one = whole()
    one.records[0], one.records[1] = (Message(value=event.value, place=place)
                                      for event, place in ((FIRST, (1, 5)), (CONFLICT, (0, 0))))
    one.started[0] = started("cid-1", "a", "cd", (1, 5))
    one.dead[0] = letter(b"identity-conflict", b"true", b"conflict", (0, 0))
    one.ledger[5:6] = own(0)
    one.acknowledged = {(1, 5), (0, 0)}
    order = [(1, 5), (0, 0), *((0, offset) for offset in range(2, 7))]
    one.moved = [moved(origin, (3, offset)) for offset, origin in enumerate(order)]
    one.moved.append(Message(place=(3, 9), headers=[("campaign-bridge-intake-mark", b"")]))
    return one


def test_with_intake_the_record_that_was_moved_first_leads():
    assert judge(with_intake()).problems == {}
    one = with_intake()
    one.moved[0], one.moved[1] = moved((0, 0), (3, 0)), moved((1, 5), (3, 1))
    assert {"lost", "calls of refused events"} <= set(judge(one).problems)


@pytest.mark.parametrize(("change", "name"), [
    (lambda one: one.moved.pop(2), "(0, 2)"),
    (lambda one: one.moved.append(moved((0, 2), (3, 10))), "(0, 2)"),
    (lambda one: one.moved.append(moved((7, 7), (3, 10))), "(7, 7)")])
def test_a_record_that_is_not_moved_once_is_found(change, name):
    one = with_intake()
    change(one)
    assert judge(one).problems["not moved once"] == [name]


def test_a_hold_of_others_does_not_concern_an_event():
    one = replays()
    one.holds = [Hold(1021, 1022), Hold(1010, 1020), Hold(1019, 1022, ("st-2",)), Hold(1019, 1022, ("st-1",), "cd-x")]
    assert judge(one).problems == {}


def test_each_complaint_of_the_judge_is_shown_to_be_made():
    assert {what for what, *_ in FAULTS + WHOLE_FAULTS} | {"not moved once"} == set(KINDS)
