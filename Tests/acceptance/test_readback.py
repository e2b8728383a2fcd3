"""Read-back: a start whose answer was lost is decided by the campaign's state, where that proves it, and only there."""

import json
import urllib.request
from collections import Counter

import pytest
from evidence import headers, seconds
from fake_api import FakeAPI
from harness import ACCOUNT, STREAM, until

STRANGER = "somebody-else"
READS = ("status", "list")
LOST = {"kind": "reset", "act": True}


@pytest.fixture
def reading(bridge):
    """A deployment whose connection reads back; nobody else starts its campaigns."""
    bridge.connection = {"readBack": True, "exclusive": True}
    bridge.settings = {"doubt": {"readBackInterval": "1s", "readBackTimeout": "60s"}}
    return bridge


def prepare(bridge, **simulator) -> None:
    """And one start with an answer: before it nobody knows what a start looks like here."""
    # Nothing ends by itself.
    bridge.prepare(runSeconds=0, **simulator)
    learn(bridge)


def learn(bridge) -> None:
    bridge.start_replica("r1")
    bridge.send(1, "first")
    bridge.wait_outcomes()
    # The reading that follows the start has ended when its list was answered.
    until(lambda: [line["operation"] for line in bridge.decisions()].count("list") >= 2, "it does not learn")


def rule(label: str, fault: dict, *operations: str, **more) -> dict:
    return {"campaign": f"cd-{label}-*", "operations": list(operations), "fault": fault, **more}


def ask(bridge, method: str, path: str, body=None, **fields) -> str:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(bridge.simulator_url + path, data, fields, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read().decode()


def set_status(bridge, campaign: str, status: str) -> None:
    """What a person does in the platform's user interface."""
    ask(bridge, "PUT", f"/simulator/campaigns/{campaign}", {"status": status})


def start_as_somebody_else(bridge, campaign: str) -> None:
    path = f"/api/v2/public/{STREAM}/campaign/trigger/{campaign}?accountId={ACCOUNT}&campaignType=voice&trigger=play"
    ask(bridge, "POST", path, {}, auth=ask(bridge, "GET", "/simulator/token"), iid=STREAM, accountId=ACCOUNT,
        **{"Content-Type": "application/json", "X-Request-Id": STRANGER})


def calls(bridge, campaign: str) -> list:
    """The bridge's own."""
    return [line for line in bridge.decisions() if line["operation"] == "start" and line["campaignId"] == campaign
            and line["requestId"] != STRANGER]


def lost_call(bridge, event) -> None:
    until(lambda: calls(bridge, event.campaign), f"{event.campaign} is not called")


def results(bridge) -> dict:
    """Campaign -> the started event's data, or the dead letter's reason."""
    found = {data["campaignId"]: data for data in (json.loads(one.value())["data"]
                                                   for one in bridge.tail("started").whole())}
    for message in bridge.tail("dead").whole():
        found[json.loads(message.value())["data"]["campaignId"]] = headers(message)["campaign-bridge-reason"].decode()
    return found


def evidence(bridge) -> Counter:
    """How often which label (`cd-LABEL-number`) came to what."""
    return Counter((campaign.split("-")[1], came if isinstance(came, str) else came["evidence"])
                   for campaign, came in results(bridge).items())


def clean(bridge, starts: int) -> set:
    """The verdict, without what others started; gives the unknown ones."""
    bridge.decisions()
    bridge.decided = [line for line in bridge.decided if line["requestId"] != STRANGER]
    verdict = bridge.verdict()
    assert verdict.problems == {}
    assert verdict.counts["starts"] == starts, str(verdict)
    return {campaign.split("-")[1] for campaign in verdict.unknown}


def test_a_lost_answer_is_decided_where_the_campaigns_state_proves_it(reading):
    prepare(reading, campaigns=[{"campaignId": f"cd-paused-{number}", "streamId": STREAM, "accountId": ACCOUNT,
                                 "status": "Paused"} for number in range(40)])
    reading.set_faults(
        rule("reset", LOST, "start"), rule("stall", {"kind": "stall", "act": True}, "start"),
        rule("page", {"kind": "html-error", "act": True}, "start"),
        rule("never", {"kind": "reset", "act": False}, "start", count=1),
        rule("twice", {"kind": "stall", "act": False}, "start", count=2),
        # It was refused, and the answer was lost: from Paused nothing can be told.
        rule("paused", LOST, "start"),
        rule("ended", LOST, "start"))
    for label in ("reset", "stall", "page", "never", "twice", "paused", "ended"):
        events = reading.send(2, label)
    for event in events:
        lost_call(reading, event)
        # A short list: the run is over before anybody looks.
        set_status(reading, event.campaign, "Completed")
    reading.wait_outcomes()
    assert evidence(reading) == {
        ("first", "answer"): 1, ("reset", "read-back"): 2, ("stall", "read-back"): 2, ("page", "read-back"): 2,
        ("never", "answer"): 2, ("twice", "answer"): 2, ("paused", "outcome-unknown"): 2,
        ("ended", "outcome-unknown"): 2}
    found = results(reading)
    started = [data for data in found.values() if isinstance(data, dict) and data["evidence"] == "read-back"]
    assert all((data["campaignInstanceId"], data["status"], data["attempt"]) == (None, "Active", 1) for data in started)
    attempts = {event.campaign: len(calls(reading, event.campaign)) for event in reading.events}
    assert attempts == {campaign: {"never": 2, "twice": 3}.get(campaign.split("-")[1], 1) for campaign in attempts}
    released = [json.loads(one.value()) for one in reading.tail("ledger").whole()]
    assert [one["c"] for one in released if one["k"] == "released"] == ["read-back"] * 6
    assert clean(reading, 13) == {"paused", "ended"}


def test_before_a_start_was_seen_nothing_is_proven_not_to_have_started(reading):
    """Does this platform's marker move at all?"""
    reading.prepare(runSeconds=0, markerStays=True)
    reading.set_faults(rule("never", {"kind": "reset", "act": False}, "start"), rule("lost", LOST, "start"))
    reading.start_replica("r1")
    reading.send(2, "never")
    reading.send(2, "lost")
    reading.send(1, "fine")
    reading.wait_outcomes()
    assert evidence(reading) == {("never", "outcome-unknown"): 2, ("lost", "outcome-unknown"): 2, ("fine", "answer"): 1}
    assert clean(reading, 3) == {"never", "lost"}


@pytest.mark.parametrize("exclusive", [True, False])
def test_what_somebody_else_started_does_not_become_ours(reading, exclusive):
    reading.connection["exclusive"] = exclusive
    prepare(reading)
    # They start it first: it is Active when our turn comes.
    start_as_somebody_else(reading, "cd-before-1")
    reading.set_faults(rule("theirs", {"kind": "reset", "act": False}, "start", count=1),
                       rule("between", {"kind": "reset", "act": False}, "start", count=1),
                       rule("before", LOST, "start"), rule("ours", LOST, "start"))
    (before,) = reading.send(1, "before")
    (between,) = reading.send(1, "between")
    (ours,) = reading.send(1, "ours")
    lost_call(reading, before)
    # Ours got lost, theirs ran and was stopped.
    lost_call(reading, between)
    start_as_somebody_else(reading, between.campaign)
    set_status(reading, between.campaign, "Stopped")
    wanted = {("first", "answer"): 1, ("before", "outcome-unknown"): 1, ("between", "outcome-unknown"): 1,
              ("ours", "read-back" if exclusive else "outcome-unknown"): 1}
    if not exclusive:
        # Theirs runs. Who may be the only starter would take it for its own: that is what `exclusive` says.
        (theirs,) = reading.send(1, "theirs")
        lost_call(reading, theirs)
        start_as_somebody_else(reading, theirs.campaign)
        wanted["theirs", "outcome-unknown"] = 1
    reading.wait_outcomes()
    assert evidence(reading) == wanted
    assert all(len(calls(reading, event.campaign)) == 1 for event in reading.events)
    # The first one, the one that is ours, and that on top of theirs: the platform starts again whenever it is told to.
    assert clean(reading, 3) == {event for event, came in wanted if came == "outcome-unknown"}


WAITING = {"unavailable": {"kind": "unavailable"}, "gateway": {"kind": "html-error"}, "reset": {"kind": "reset"},
           "garbage": {"kind": "garbage"}, "stall": {"kind": "stall"}, "truncated": {"kind": "truncated"},
           "throttled": {"kind": "rate-limited", "retryAfter": "1"},
           "credentials": {"kind": "status", "status": 401}}
DECIDED = {"notfound": {"kind": "status", "status": 404}, "wrong": {"kind": "wrong-data"},
           "odd": {"kind": "status", "status": 200, "body": '{"status":"success","data":{}}'},
           "failure": {"kind": "status", "status": 200, "body": '{"status":"failure","data":{}}'}}


def test_a_reading_without_an_answer_is_made_again_and_an_unusable_one_decides_nothing(reading):
    prepare(reading)
    faults = {**WAITING, **DECIDED}
    # The reading before the attempt is fine; of those after it the first two are not.
    reading.set_faults(*[rule(label, LOST, "start") for label in faults],
                       *[rule(label, fault, "status", skip=1, count=2) for label, fault in faults.items()])
    for label in faults:
        reading.send(1, label)
    reading.wait_outcomes(seconds=120)
    assert evidence(reading) == {("first", "answer"): 1, **{(label, "read-back"): 1 for label in WAITING},
                                 **{(label, "outcome-unknown"): 1 for label in DECIDED}}
    assert all(len(calls(reading, event.campaign)) == 1 for event in reading.events)
    asked = Counter(line["campaignId"].split("-")[1] for line in reading.decisions() if line["operation"] == "status")
    assert {label: asked[label] for label in WAITING} == {label: 4 for label in WAITING}
    assert {label: asked[label] for label in DECIDED} == {label: 2 for label in DECIDED}
    assert clean(reading, 1 + len(faults)) == set(DECIDED)


def test_a_list_that_does_not_answer_is_asked_again_and_one_without_the_campaign_decides_nothing(reading):
    prepare(reading)
    reading.set_faults(rule("lost", LOST, "start"), rule("away", LOST, "start"))
    (event,) = reading.send(1, "lost")
    lost_call(reading, event)
    reading.set_faults({"operations": ["list"], "total": 3, "fault": {"kind": "unavailable"}})
    reading.wait_outcomes()
    assert evidence(reading)["lost", "read-back"] == 1
    reading.set_faults(rule("away", LOST, "start"))
    (event,) = reading.send(1, "away")
    lost_call(reading, event)
    empty = '{"status":"success","data":{"results":[],"hasMore":false}}'
    reading.set_faults({"operations": ["list"], "fault": {"kind": "status", "status": 200, "body": empty}})
    reading.wait_outcomes()
    assert evidence(reading)["away", "outcome-unknown"] == 1
    assert clean(reading, 3) == {"away"}


def test_a_platform_that_is_away_leaves_a_doubt_open_for_a_bounded_time(reading):
    prepare(reading)
    reading.set_faults(rule("lost", LOST, "start"))
    (event,) = reading.send(1, "lost")
    lost_call(reading, event)
    # Away until behind the lease: the doubt is decided when it is back.
    ask(reading, "POST", "/simulator/down?milliseconds=12000", {})
    reading.wait_outcomes()
    assert evidence(reading)["lost", "read-back"] == 1
    reading.settings["doubt"] = {"readBackInterval": "1s", "readBackTimeout": "3s"}
    reading.replicas[0].process.terminate()
    assert reading.replicas[0].exit() == 0
    reading.start_replica("r1")
    # This process has not yet tried an expired token: that is one status call more before the attempt.
    reading.set_faults(rule("gone", LOST, "start"), rule("gone", {"kind": "unavailable"}, "status", skip=2))
    (event,) = reading.send(1, "gone")
    reading.wait_outcomes()
    assert evidence(reading)["gone", "outcome-unknown"] == 1
    assert len(calls(reading, event.campaign)) == 1
    assert clean(reading, 3) == {"gone"}


def test_an_attempt_whose_reading_had_no_answer_is_made_and_its_doubt_is_for_a_person(reading):
    prepare(reading)
    reading.set_faults(rule("fine", {"kind": "unavailable"}, "status"), rule("lost", {"kind": "unavailable"}, "status"),
                       rule("lost", LOST, "start"))
    reading.send(2, "fine")
    reading.send(2, "lost")
    reading.wait_outcomes()
    assert evidence(reading) == {("first", "answer"): 1, ("fine", "answer"): 2, ("lost", "outcome-unknown"): 2}
    assert clean(reading, 5) == {"lost"}


def test_a_doubt_of_a_killed_replica_is_decided_by_the_next_owner(reading):
    """The state before the attempt stands in the ledger."""
    prepare(reading)
    reading.set_faults(rule("lost", {"kind": "stall", "act": True}, "start"),
                       rule("never", {"kind": "stall", "act": False}, "start", count=1))
    events = reading.send(2, "lost") + reading.send(2, "never")
    for event in events:
        lost_call(reading, event)
    reading.kill(reading.replicas[0])
    reading.start_replica("r2")
    # It too has to see a start before it can say that there was none.
    reading.send(1, "second")
    reading.wait_outcomes()
    assert evidence(reading) == {("first", "answer"): 1, ("second", "answer"): 1, ("lost", "read-back"): 2,
                                 ("never", "answer"): 2}
    assert clean(reading, 6) == set()


def test_readings_are_part_of_the_accounts_rate(reading):
    reading.connection["requestsPerMinute"] = 120
    prepare(reading)
    reading.send(16, "busy")
    reading.wait_outcomes()
    until(lambda: len(reading.decisions()) >= 3 * 17, "requests are missing")
    times = sorted(seconds(line["time"]) for line in reading.decisions())
    # 20 in ten seconds, and what may follow at once; 60 if the readings did not count.
    most = max(sum(begin <= at < begin + 10 for at in times) for begin in times)
    assert most <= 26, f"{most} requests in ten seconds"
    assert clean(reading, 17) == set()


# The same against a platform that is not our simulator.


@pytest.fixture
def fake(reading):
    api = FakeAPI(reading.folder)
    reading.simulator_url = api.url
    reading.create_topics()
    yield api
    api.close()


def test_another_implementation_of_the_documented_api(reading, fake):
    learn(reading)
    # The list has more than one page.
    for number in range(120):
        fake.change(f"cd-a-{number}", "Ready")
    fake.losses = {"cd-after-1": ["after"], "cd-after-2": ["after"], "cd-before-3": ["before"],
                   "cd-before-4": ["before", "before"], "cd-ended-5": ["after"], "cd-theirs-6": ["before"]}
    reading.send(2, "after")
    reading.send(2, "before")
    (ended,) = reading.send(1, "ended")
    (theirs,) = reading.send(1, "theirs")
    reading.send(3, "fine")
    for event, status in ((ended, "Completed"), (theirs, "Stopped")):
        lost_call(reading, event)
        fake.change(event.campaign, status)
    reading.wait_outcomes()
    assert evidence(reading) == {
        ("first", "answer"): 1, ("fine", "answer"): 3, ("after", "read-back"): 2, ("before", "answer"): 2,
        ("ended", "outcome-unknown"): 1, ("theirs", "outcome-unknown"): 1}
    assert clean(reading, 9) == {"ended", "theirs"}


def test_another_implementation_behind_a_failing_gateway(reading, fake):
    learn(reading)
    fake.losses = {"cd-lost-1": ["after"]}
    (event,) = reading.send(1, "lost")
    lost_call(reading, event)
    fake.read_failures = [502, 503, 504]
    reading.wait_outcomes()
    assert fake.read_failures == []
    assert evidence(reading)["lost", "read-back"] == 1
    assert clean(reading, 2) == set()
