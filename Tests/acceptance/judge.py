"""The judge of what the bridge did.

It knows nothing of the bridge's own state. It compares the events that were produced, the simulator's journal of what
it really did with each call, and what a read_committed consumer finds on the topics. Each event has a campaign of its
own, so a campaign's calls are its event's calls. The simulator must run with `onActive: startAnother`: a second call
is then a second start, and not a refusal that nobody sees.
"""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field

# Faults of the simulator after which nobody can know whether the campaign was started.
AMBIGUOUS = {"status", "html-error", "gateway-unavailable", "redirect", "empty", "reset", "close", "stall", "truncated",
             "garbage", "raw"}


@dataclass(frozen=True)
class Event:
    """An event as it was produced; `value` is what stands in the record."""

    id: str
    campaign: str
    value: bytes = b""
    source: str = "/crm"

    @property
    def key(self) -> bytes:
        """The ledger's key, as the documents describe it."""
        return json.dumps(["ce", self.source, self.id], separators=(",", ":")).encode()


@dataclass(frozen=True)
class Interruption:
    """A replica could not hear the answers of its calls from `begin` to `end` (seconds since 1970)."""

    replica: str
    begin: float
    end: float


@dataclass
class Evidence:
    """Everything that the judge looks at. Messages are those of confluent-kafka, or anything with the same methods."""

    events: list
    decisions: list
    started: list
    dead: list
    ledger: list
    interruptions: list = field(default_factory=list)
    # Where records of a value stand in the source (partition and offset), for the values that are known; results must
    # name one of the places, also where records went through the intake topic.
    places: dict = field(default_factory=dict)
    # How long a call may be under way, seconds: an intent this old was not hit by an interruption.
    call_seconds: float = 5


@dataclass
class Verdict:
    """Campaigns by what is wrong with them; empty lists where the promises hold."""

    found: dict
    unknown: set
    counts: dict

    @property
    def problems(self) -> dict:
        return {name: sorted(campaigns)[:10] for name, campaigns in self.found.items() if campaigns}

    def __str__(self) -> str:
        counts = ", ".join(f"{len(campaigns)} {name}" for name, campaigns in self.found.items())
        return f"{counts}; " + ", ".join(f"{count} {name}" for name, count in self.counts.items())


def headers(message) -> dict:
    return dict(message.headers() or [])


def judge(evidence: Evidence) -> Verdict:
    events = {event.campaign: event for event in evidence.events}
    assert len(events) == len(evidence.events), "each event needs a campaign of its own"
    by_value = {event.value: event.campaign for event in evidence.events}
    found = defaultdict(list)

    starts, calls, hit = defaultdict(list), Counter(), set()
    for line in evidence.decisions:
        if line["operation"] != "start":
            continue
        campaign = line["campaignId"]
        calls[campaign] += 1
        if line["decision"] == "started":
            starts[campaign].append(line["campaignInstanceId"])
        if line["fault"] in AMBIGUOUS:
            hit.add(campaign)

    results, letters = defaultdict(list), defaultdict(list)
    for message in evidence.started:
        data = json.loads(message.value())["data"]
        results[data["campaignId"]].append(data)
    for message in evidence.dead:
        letters[by_value.get(message.value(), repr(message.value()))].append(headers(message))

    history = defaultdict(list)
    for message in evidence.ledger:
        history[message.key()].append(json.loads(message.value()) if message.value() else None)

    unknown = set()
    for campaign, event in events.items():
        known = evidence.places.get(event.value)
        named = [(data["sourcePartition"], data["sourceOffset"]) for data in results[campaign]]
        named += [(int(letter["campaign-bridge-source-partition"]), int(letter["campaign-bridge-source-offset"]))
                  for letter in letters[campaign]]
        if known and not known.issuperset(named):
            found["wrong places"].append(campaign)
        outcomes = len(results[campaign]) + len(letters[campaign])
        entries = [entry for entry in history[event.key] if entry]
        intents = [entry for entry in entries if entry["k"] == "attempting"]
        if len(starts[campaign]) > 1:
            found["second calls"].append(campaign)
        if outcomes == 0:
            found["lost"].append(campaign)
        if outcomes > 1:
            found["double outcomes"].append(campaign)
        if calls[campaign] > len(intents):
            found["calls without an intent"].append(campaign)
        for data in results[campaign]:
            if not starts[campaign]:
                found["started events without a start"].append(campaign)
            elif data["campaignInstanceId"] is not None and data["campaignInstanceId"] not in starts[campaign]:
                found["wrong instances"].append(campaign)
            if (data["requestId"], data.get("requestSource")) != (event.id, event.source):
                found["wrong identities"].append(campaign)
        for letter in letters[campaign]:
            if letter["campaign-bridge-reason"] == b"outcome-unknown":
                unknown.add(campaign)
                if campaign not in hit and not interrupted(intents, evidence):
                    found["unknown without a cause"].append(campaign)
            if letter["campaign-bridge-safe-to-replay"] == b"true" and starts[campaign]:
                found["started and safe to replay"].append(campaign)
        if outcomes and (not entries or entries[-1]["k"] != ("started" if results[campaign] else "deadLettered")):
            found["ledger and outcome differ"].append(campaign)
    for campaign in set(calls) | set(results) | {name for name in letters if letters[name]}:
        if campaign not in events:
            found["of no event"].append(campaign)

    names = ["second calls", "lost", "double outcomes", "calls without an intent", "started events without a start",
             "wrong instances", "wrong identities", "wrong places", "unknown without a cause", "started and safe to replay",
             "ledger and outcome differ", "of no event"]
    counts = {"events": len(events), "starts": sum(map(len, starts.values())), "calls": sum(calls.values()),
              "started events": len(evidence.started), "dead letters": len(evidence.dead), "unknown": len(unknown)}
    return Verdict({name: found[name] for name in names}, unknown, counts)


def interrupted(intents: list, evidence: Evidence) -> bool:
    """Whether the last attempt may have been under way while its replica could not hear the answer."""
    if not intents:
        return False
    replica, at = intents[-1]["by"].rsplit("/", 1)[0], intents[-1]["at"] / 1000
    return any(one.replica in (replica, "*") and at <= one.end + 0.1 and at + evidence.call_seconds >= one.begin
               for one in evidence.interruptions)
