"""The judge of what the bridge did.

It knows nothing of the bridge's own state. It compares the events that were produced, the source topic, the simulator's
journal of what it really did with each call, and what a read_committed consumer finds on the topics. A call is its
event's by the trace id of the event's `traceparent`, which the call carries on; an event without one needs a campaign
of its own. The simulator must run with `onActive: startAnother`: a second call is then a second start, and not a
refusal that nobody sees.
"""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime

# Faults of the simulator after which nobody can know whether the campaign was started.
AMBIGUOUS = frozenset({
    "status", "html-error", "gateway-unavailable", "redirect", "empty", "reset", "close", "stall", "truncated",
    "garbage", "raw", "reset-before-reading", "close-before-reading"})
# Reasons of dead letters that an event may come to, by its kind.
REASONS = {
    "ordinary": {"rejected", "outcome-unknown"},
    "expiring": {"rejected", "outcome-unknown", "expired"},
    "invalid": {"empty-record", "invalid-encoding", "invalid-json", "invalid-cloudevent", "invalid-data"},
    "unknown-stream": {"unknown-stream"},
    "conflict": {"identity-conflict"},
}
KINDS = [
    "second calls", "lost", "double outcomes", "calls without an intent", "started events without a start",
    "wrong instances", "wrong identities", "wrong reasons", "unknown without a cause", "rejected without a cause",
    "started and safe to replay", "calls of refused events", "calls after the expiry", "expired too early",
    "ledger and outcome differ", "of no event", "acknowledged and not in the source"]


@dataclass(frozen=True)
class Event:
    """An event as it was produced; `value` is what stands in the record."""

    id: str
    campaign: str
    value: bytes = b""
    source: str = "/crm"
    # ordinary, expiring, unknown-stream; invalid: without an identity, each of its records is an event.
    kind: str = "ordinary"
    trace: str = ""
    # Seconds since 1970.
    expires: float | None = None

    @property
    def key(self) -> bytes:
        """The ledger's key, as the documents describe it."""
        return json.dumps(["ce", self.source, self.id], separators=(",", ":")).encode()

    @property
    def name(self) -> str:
        return f"{self.id} {self.campaign}" if self.trace else self.campaign


@dataclass(frozen=True)
class Interruption:
    """A replica could not hear its calls' answers, or tell of them, from `begin` to `end` (seconds since 1970)."""

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
    # How long a call may be under way, seconds: an intent this old was not hit by an interruption.
    call_seconds: float = 5
    # The source's records. None: each event stands there once.
    records: list | None = None
    # Places (partition, offset) that the broker has confirmed to the producer.
    acknowledged: set = field(default_factory=set)
    ambiguous: frozenset = AMBIGUOUS


@dataclass
class Verdict:
    """Events by what is wrong with them; empty lists where the promises hold."""

    found: dict
    unknown: set
    counts: dict

    @property
    def problems(self) -> dict:
        return {name: sorted(events)[:10] for name, events in self.found.items() if events}

    def __str__(self) -> str:
        counts = ", ".join(f"{len(events)} {name}" for name, events in self.found.items())
        return f"{counts}; " + ", ".join(f"{count} {name}" for name, count in self.counts.items())


@dataclass
class Facts:
    """What the evidence tells of each event, by its name."""

    calls: dict = field(default_factory=lambda: defaultdict(list))
    results: dict = field(default_factory=lambda: defaultdict(list))
    letters: dict = field(default_factory=lambda: defaultdict(list))
    history: dict = field(default_factory=lambda: defaultdict(list))
    # Places of an event's records in the source; of each place, the last entry under the record's own key.
    places: dict = field(default_factory=lambda: defaultdict(list))
    own_entries: dict = field(default_factory=dict)
    strangers: set = field(default_factory=set)


def headers(message) -> dict:
    return dict(message.headers() or [])


def seconds(time: str) -> float:
    return datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp()


def gather(evidence: Evidence) -> Facts:
    facts = Facts()
    names = Counter(event.name for event in evidence.events)
    assert len(names) == len(evidence.events), f"each event needs a name of its own: {names.most_common(3)}"
    by_value = {event.value: event for event in evidence.events}
    by_trace = {event.trace: event for event in evidence.events if event.trace}
    by_campaign = {event.campaign: event for event in evidence.events if not event.trace}
    by_place = {}
    for message in evidence.records or []:
        place = (message.partition(), message.offset())
        event = by_value.get(message.value())
        if event is None:
            facts.strangers.add(f"record {place}")
        else:
            by_place[place] = event
            facts.places[event.name].append(place)
    for line in evidence.decisions:
        if line["operation"] == "start":
            event = by_trace.get(line.get("requestId")) or by_campaign.get(line["campaignId"])
            if event is None or event.campaign != line["campaignId"]:
                facts.strangers.add(line["campaignId"])
            else:
                facts.calls[event.name].append(line)
    for message in evidence.started:
        data = json.loads(message.value())["data"]
        place = (data.get("sourcePartition"), data.get("sourceOffset"))
        event = by_campaign.get(data["campaignId"]) if evidence.records is None else by_place.get(place)
        if event is None:
            facts.strangers.add(str(data["campaignId"]))
        else:
            facts.results[event.name].append((place, data))
    for message in evidence.dead:
        fields = headers(message)
        place = tuple(int(fields.get(f"campaign-bridge-source-{part}", -1)) for part in ("partition", "offset"))
        event = by_value.get(message.value())
        if event is None or (evidence.records is not None and by_place.get(place) is not event):
            facts.strangers.add(repr(message.value()))
        else:
            facts.letters[event.name].append((place, fields, message))
    for message in evidence.ledger:
        entry = json.loads(message.value()) if message.value() else None
        facts.history[message.key()].append(entry)
        key = json.loads(message.key())
        if key[0] == "position":
            partition, offset = key[1].rsplit("/", 2)[1:]
            facts.own_entries[int(partition), int(offset)] = entry
    return facts


def leaders(evidence: Evidence, facts: Facts) -> dict:
    """Identity -> the name of the event that has it: the others of that identity are in conflict with it."""
    first: dict = {}
    for event in evidence.events:
        if event.kind == "invalid" or (evidence.records is not None and not facts.places[event.name]):
            continue
        # A record that the producer's own repeats have put before another comes first.
        place = min(facts.places[event.name], default=(0, 0))
        if event.key not in first or place < first[event.key][0]:
            first[event.key] = (place, event.name)
    return {key: name for key, (_, name) in first.items()}


def judge(evidence: Evidence) -> Verdict:
    facts = gather(evidence)
    leading = leaders(evidence, facts)
    found = defaultdict(list)
    unknown = set()
    for event in evidence.events:
        is_alone = event.kind == "invalid" or leading.get(event.key, event.name) != event.name
        kind = "conflict" if is_alone and event.kind != "invalid" else event.kind
        for what in complaints(event, kind, facts, evidence):
            found[what].append(event.name)
        if any(fields["campaign-bridge-reason"] == b"outcome-unknown" for _, fields, _ in facts.letters[event.name]):
            unknown.add(event.name)
    found["of no event"] += facts.strangers
    if evidence.records is not None:
        there = {(message.partition(), message.offset()) for message in evidence.records}
        found["acknowledged and not in the source"] += map(str, evidence.acknowledged - there)
    lines = [line for lines in facts.calls.values() for line in lines]
    counts = {"events": len(evidence.events), "starts": sum(line["decision"] == "started" for line in lines),
              "calls": len(lines), "started events": len(evidence.started), "dead letters": len(evidence.dead),
              "unknown": len(unknown)}
    return Verdict({name: found[name] for name in KINDS}, unknown, counts)


def complaints(event: Event, kind: str, facts: Facts, evidence: Evidence) -> set:
    """What is wrong with one event."""
    calls, results, letters = facts.calls[event.name], facts.results[event.name], facts.letters[event.name]
    places = facts.places[event.name]
    starts = [line["campaignInstanceId"] for line in calls if line["decision"] == "started"]
    outcomes = [place for place, *_ in results + letters]
    found = set()
    if evidence.records is not None and not places:
        return {"of no event"} if outcomes or calls else found
    if kind in ("invalid", "conflict"):
        # Each of its records has an outcome, and an entry, of its own.
        wanted, entries = max(1, len(places)), []
        if len(set(outcomes)) < wanted:
            found.add("lost")
        if len(outcomes) > len(set(outcomes)):
            found.add("double outcomes")
        if any((facts.own_entries.get(place) or {}).get("k") != "deadLettered" for place in set(outcomes)):
            found.add("ledger and outcome differ")
    else:
        entries = [entry for entry in facts.history[event.key] if entry]
        if not outcomes:
            found.add("lost")
        if len(outcomes) > 1:
            found.add("double outcomes")
        if outcomes and (not entries or entries[-1]["k"] != ("started" if results else "deadLettered")):
            found.add("ledger and outcome differ")
    intents = [entry for entry in entries if entry["k"] == "attempting"]
    if calls and kind not in ("ordinary", "expiring"):
        found.add("calls of refused events")
    elif len(calls) > len(intents):
        found.add("calls without an intent")
    if len(starts) > 1:
        found.add("second calls")
    if event.expires is not None and (
            any(intent["at"] / 1000 > event.expires for intent in intents)
            or any(seconds(line["time"]) > event.expires + evidence.call_seconds for line in calls)):
        found.add("calls after the expiry")
    for _, data in results:
        if not starts:
            found.add("started events without a start")
        elif data["campaignInstanceId"] is not None and data["campaignInstanceId"] not in starts:
            found.add("wrong instances")
        if (data["requestId"], data.get("requestSource"), data["campaignId"]) != (
                event.id, event.source, event.campaign):
            found.add("wrong identities")
    for _, fields, message in letters:
        found |= letter_complaints(event, kind, fields, message, starts, calls, intents, evidence)
    return found


def letter_complaints(event, kind, fields, message, starts, calls, intents, evidence) -> set:
    found = set()
    reason = fields["campaign-bridge-reason"].decode()
    hit = any(line["fault"] in evidence.ambiguous for line in calls)
    if reason not in REASONS[kind]:
        found.add("wrong reasons")
    if reason == "outcome-unknown" and not hit and not interrupted(intents, evidence):
        found.add("unknown without a cause")
    if reason == "rejected" and not any(line["fault"] or line["decision"] == "refused" for line in calls):
        found.add("rejected without a cause")
    if reason == "expired" and event.expires is not None and message.timestamp()[1] / 1000 < event.expires:
        found.add("expired too early")
    if fields["campaign-bridge-safe-to-replay"] == b"true" and starts:
        found.add("started and safe to replay")
    return found


def interrupted(intents: list, evidence: Evidence) -> bool:
    """Whether the last attempt may have been under way while its replica could not hear the answer."""
    if not intents:
        return False
    replica, at = intents[-1]["by"].rsplit("/", 1)[0], intents[-1]["at"] / 1000
    return any(one.replica in (replica, "*") and at <= one.end + 0.1 and at + evidence.call_seconds >= one.begin
               for one in evidence.interruptions)
