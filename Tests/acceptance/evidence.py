"""What the judge looks at: what was produced, what the simulator did, what stands on the topics; sorted by event."""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime

# Faults of the simulator after which nobody can know whether the campaign was started.
AMBIGUOUS = frozenset({
    "status", "html-error", "gateway-unavailable", "redirect", "empty", "reset", "close", "stall", "truncated",
    "garbage", "raw", "wrong-data", "reset-before-reading", "close-before-reading"})


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
    stream: str = ""

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


@dataclass(frozen=True)
class Hold:
    """From `begin`, when it was in force everywhere, to `end` nothing of it may be called: all of the streams that are
    named (none: every stream), or one campaign of them."""

    begin: float
    end: float
    streams: tuple = ()
    campaign: str = ""

    def holds(self, event: Event, at: float) -> bool:
        return (self.begin < at < self.end and (not self.streams or event.stream in self.streams)
                and self.campaign in ("", event.campaign))


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
    # Begin and end of each trouble of a broker, seconds since 1970: what is answered then only its replica knows.
    outages: list = field(default_factory=list)
    # How long after an outage what was answered may still be uncommitted.
    commit_seconds: float = 15
    # The source's records. None: each event stands there once.
    records: list | None = None
    # Places (partition, offset) that the broker has confirmed to the producer.
    acknowledged: set = field(default_factory=set)
    ambiguous: frozenset = AMBIGUOUS
    holds: list = field(default_factory=list)
    # Where records of a value stand in the source (partition and offset), for the values that are known; results must
    # name one of the places, also where records went through the intake topic.
    places: dict = field(default_factory=dict)
    # With intake: the records of its topic. The record of an identity that stands first there leads, whatever partition
    # of the source it came from.
    moved: list | None = None
    # False findings: the nonce of the dead letter, and what was said of it.
    mistakes: set = field(default_factory=set)


@dataclass(frozen=True)
class Replay:
    """A record that asks for a dead letter to be taken up again."""

    place: tuple
    generation: int
    nonce: bytes
    finding: bytes | None

    def answers(self, letters: list) -> bool:
        """Whether one of these dead letters (their headers) may be replayed so."""
        return any(fields.get("campaign-bridge-nonce") == self.nonce
                   and int(fields.get("campaign-bridge-generation", 0)) == self.generation - 1
                   and fields["campaign-bridge-reason"] != b"replay-refused"
                   and (self.finding is not None or fields["campaign-bridge-safe-to-replay"] == b"true")
                   for fields in letters)


@dataclass
class Facts:
    """What the evidence tells of each event, by its name."""

    calls: dict = field(default_factory=lambda: defaultdict(list))
    results: dict = field(default_factory=lambda: defaultdict(list))
    letters: dict = field(default_factory=lambda: defaultdict(list))
    history: dict = field(default_factory=lambda: defaultdict(list))
    # Places of an event's records in the source; of each place, the last entry under the record's own key.
    places: dict = field(default_factory=lambda: defaultdict(list))
    replays: dict = field(default_factory=lambda: defaultdict(list))
    own_entries: dict = field(default_factory=dict)
    # Places in the source -> those in the intake topic, each as often as it was moved.
    moved: dict = field(default_factory=lambda: defaultdict(list))
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
            fields = headers(message)
            if generation := fields.get("campaign-bridge-replay-generation"):
                facts.replays[event.name].append(Replay(
                    place, int(generation), fields["campaign-bridge-replay-nonce"],
                    fields.get("campaign-bridge-replay-finding")))
            else:
                facts.places[event.name].append(place)
    for message in evidence.moved or []:
        fields = headers(message)
        if "campaign-bridge-intake-mark" not in fields:
            origin = tuple(int(fields[f"campaign-bridge-intake-{part}"]) for part in ("partition", "offset"))
            facts.moved[origin].append((message.partition(), message.offset()))
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
        # One whose request is gone from the source holds no campaign.
        event = by_campaign.get(data.get("campaignId")) if evidence.records is None else by_place.get(place)
        if event is None:
            facts.strangers.add(str(data.get("campaignId", message.value())))
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
