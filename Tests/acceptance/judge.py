"""The judge of what the bridge did.

It knows nothing of the bridge's own state. It compares the events that were produced, the source topic, the simulator's
journal of what it really did with each call, and what a read_committed consumer finds on the topics. A call is its
event's by the trace id of the event's `traceparent`, which the call carries on; an event without one needs a campaign
of its own. The simulator must run with `onActive: startAnother`: a second call is then a second start, and not a
refusal that nobody sees.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass

from evidence import Event, Evidence, Facts, gather, seconds

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
    "wrong instances", "wrong identities", "wrong places",
    "replays that answer nothing", "wrong reasons", "unknown without a cause", "rejected without a cause",
    "started and safe to replay", "calls of refused events", "calls after the expiry", "expired too early",
    "intents under a hold",
    "ledger and outcome differ", "of no event", "acknowledged and not in the source", "not moved once"]
# What an operator's false finding excuses, for its event alone, and where the bridge knew better; counted.
EXCUSED = ["second starts after a false finding", "started events of a false finding", "false findings refused"]


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
        wrong = [f"{len(events)} {name}" for name, events in self.found.items() if events]
        counts = ", ".join(wrong) or f"0 of each of {len(KINDS)} kinds of fault"
        return f"{counts}; " + ", ".join(f"{count} {name}" for name, count in self.counts.items())


def leaders(evidence: Evidence, facts: Facts) -> dict:
    """Identity -> the name of the event that has it: the others of that identity are in conflict with it."""
    first: dict = {}
    for event in evidence.events:
        if event.kind == "invalid" or (evidence.records is not None and not facts.places[event.name]):
            continue
        # A record that the producer's own repeats have put before another comes first.
        places = facts.places[event.name]
        if evidence.moved is not None:
            places = [moved for place in places for moved in facts.moved[place]]
        place = min(places, default=(0, 0))
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
        if evidence.moved is not None:
            found["not moved once"] += [str(place) for place in there | set(facts.moved)
                                        if place not in there or len(facts.moved[place]) != 1]
    lines = [line for lines in facts.calls.values() for line in lines]
    counts = {"events": len(evidence.events), "starts": sum(line["decision"] == "started" for line in lines),
              "calls": len(lines), "started events": len(evidence.started), "dead letters": len(evidence.dead),
              "unknown": len(unknown), **{name: len(found[name]) for name in EXCUSED if found[name]}}
    return Verdict({name: found[name] for name in KINDS}, unknown, counts)


def complaints(event: Event, kind: str, facts: Facts, evidence: Evidence) -> set:
    """What is wrong with one event."""
    calls, results, letters = facts.calls[event.name], facts.results[event.name], facts.letters[event.name]
    starts = [line["campaignInstanceId"] for line in calls if line["decision"] == "started"]
    if evidence.records is not None and not facts.places[event.name]:
        return {"of no event"} if results or letters or calls else set()
    if kind in ("invalid", "conflict"):
        found, entries = own_outcomes(facts.places[event.name], results + letters, facts), []
    else:
        entries = [entry for entry in facts.history[event.key] if entry]
        found = outcomes(event, entries, facts)
    intents = [entry for entry in entries if entry["k"] == "attempting"]
    if calls and kind not in ("ordinary", "expiring"):
        found.add("calls of refused events")
    elif len(calls) > len(intents):
        found.add("calls without an intent")
    false = [replay for replay in facts.replays[event.name] if (replay.nonce, replay.finding) in evidence.mistakes]
    refusals = [place for place, fields, _ in letters if fields["campaign-bridge-reason"] == b"replay-refused"]
    # Each false "not started" that was not refused is a start that a person has ordered.
    ordered = {replay.nonce: replay.generation for replay in false
               if replay.finding == b"not-started" and replay.place not in refusals}
    if len(starts) > 1:
        found.add("second calls" if len(starts) > 1 + len(ordered) else EXCUSED[0])
    if any(hold.holds(event, intent["at"] / 1000) for hold in evidence.holds for intent in intents):
        found.add("intents under a hold")
    if event.expires is not None and (
            any(intent["at"] / 1000 > event.expires for intent in intents)
            # One that was held up on its way and refused, since its token had expired, has dialled nobody.
            or any(seconds(line["time"]) > event.expires + evidence.call_seconds for line in calls
                   if line.get("reason") != "token")):
        found.add("calls after the expiry")
    if any(replay.place in refusals for replay in false):
        found.add(EXCUSED[2])
    for _, data in results:
        if data.get("evidence") == "operator" and any(replay.finding == b"started" for replay in false):
            found.add(EXCUSED[1])
        elif not starts:
            found.add("started events without a start")
        elif data["campaignInstanceId"] is not None and data["campaignInstanceId"] not in starts:
            found.add("wrong instances")
        if (data["requestId"], data.get("requestSource"), data.get("campaignId")) != (
                event.id, event.source, event.campaign):
            found.add("wrong identities")
    known = evidence.places.get(event.value)
    if known and not known.issuperset(place for place, *_ in results + letters):
        found.add("wrong places")
    for replay in facts.replays[event.name]:
        came = results + [letter for letter in letters if letter[1]["campaign-bridge-reason"] != b"replay-refused"]
        if replay.place in [place for place, *_ in came] and not replay.answers([fields for _, fields, _ in letters]):
            found.add("replays that answer nothing")
    for _, fields, message in letters:
        found |= letter_complaints(event, kind, fields, message, calls, intents, evidence, ordered.values())
    return found


def own_outcomes(places: list, outcomes: list, facts: Facts) -> set:
    """Of records that have no identity, or not theirs: each has an outcome, and an entry, of its own."""
    found = set()
    seen = [place for place, *_ in outcomes]
    if len(set(seen)) < max(1, len(places)):
        found.add("lost")
    if len(seen) > len(set(seen)):
        found.add("double outcomes")
    if any((facts.own_entries.get(place) or {}).get("k") != "deadLettered" for place in seen):
        found.add("ledger and outcome differ")
    return found


def outcomes(event: Event, entries: list, facts: Facts) -> set:
    """Of an identity: one for the event, and one for each dead letter that is replayed, until it is started."""
    results = facts.results[event.name]
    letters = [(place, fields) for place, fields, _ in facts.letters[event.name]]
    refused = [place for place, fields in letters if fields["campaign-bridge-reason"] == b"replay-refused"]
    letters = [fields for place, fields in letters if place not in refused]
    nonces = {generation_of(fields): fields.get("campaign-bridge-nonce") for fields in letters}
    started = [data.get("generation", 0) for _, data in results]
    counts = Counter(started + [generation_of(fields) for fields in letters])
    found = own_outcomes(refused, [(place,) for place in refused], facts) if refused else set()
    if len(started) > 1 or any(count > 1 for count in counts.values()):
        found.add("double outcomes")
    if 0 not in counts:
        found.add("lost")
    for replay in facts.replays[event.name]:
        generation = replay.generation
        is_answer = nonces.get(generation - 1) == replay.nonce and min(started, default=generation) >= generation
        if is_answer and generation not in counts and replay.place not in refused:
            found.add("lost")
    if counts and (not entries or entries[-1]["k"] != ("started" if started else "deadLettered")):
        found.add("ledger and outcome differ")
    return found


def generation_of(fields: dict) -> int:
    return int(fields.get("campaign-bridge-generation", 0))


def letter_complaints(event, kind, fields, message, calls, intents, evidence, ordered) -> set:
    found = set()
    reason, generation = fields["campaign-bridge-reason"].decode(), generation_of(fields)
    own = [intent for intent in intents if intent.get("g", 0) == generation]
    hit = any(line["fault"] in evidence.ambiguous for line in calls)
    if reason == "replay-refused":
        return found
    if reason not in REASONS[kind]:
        found.add("wrong reasons")
    if reason == "outcome-unknown" and not hit and not interrupted(own, evidence):
        found.add("unknown without a cause")
    if reason == "rejected" and not any(line["fault"] or line["decision"] == "refused" for line in calls):
        found.add("rejected without a cause")
    if reason == "expired" and event.expires is not None and message.timestamp()[1] / 1000 < event.expires:
        found.add("expired too early")
    # A start of a later generation is the replay that the dead letter offers; one of an earlier generation was denied
    # by a person in between.
    denied = max((one for one in ordered if one <= generation), default=0)
    starts = [line for line in calls if line["decision"] == "started"
              and denied <= generation_at(line, intents) <= generation]
    if fields["campaign-bridge-safe-to-replay"] == b"true" and starts:
        found.add("started and safe to replay")
    return found


def generation_at(line: dict, intents: list) -> int:
    """Of a call: that of the last intent before it."""
    before = [intent for intent in intents if intent["at"] / 1000 <= seconds(line["time"]) + 0.1]
    return before[-1].get("g", 0) if before else 0


def interrupted(intents: list, evidence: Evidence) -> bool:
    """Whether the last attempt may have been under way, or its answer uncommitted, when its replica was interrupted."""
    if not intents:
        return False
    replica, at = intents[-1]["by"].rsplit("/", 1)[0], intents[-1]["at"] / 1000
    latest = at + evidence.call_seconds
    for begin, end in sorted(evidence.outages):
        if begin <= latest and end >= at:
            latest = max(latest, end + evidence.commit_seconds)
    return any(one.replica in (replica, "*") and at <= one.end + 0.1 and latest >= one.begin
               for one in evidence.interruptions)
