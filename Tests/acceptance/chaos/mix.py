"""The events of a run: ordinary ones, repeats, conflicts of identity, noise, some that expire; from a seed."""

import base64
import heapq
import json
import random
from datetime import datetime, timezone

from evidence import Event

UNKNOWN_STREAM = "st-unknown"
# Of a hundred events; the rest is ordinary.
SHARES = {"repeat": 9, "conflict": 4, "expiring": 5, "invalid": 4, "unknown-stream": 3, "shared": 6, "binary": 8}


def written(event: Event, record: dict) -> dict:
    """What the producer writes down before it sends: enough to send it again, and for the judge."""
    return {"id": event.id, "campaign": event.campaign, "value": base64.b64encode(event.value).decode(),
            "source": event.source, "kind": event.kind, "trace": event.trace, "expires": event.expires,
            "stream": event.stream,
            "key": record["key"], "partition": record["partition"],
            "headers": [[name, value.decode()] for name, value in record["headers"]]}


def read(line: dict) -> tuple[Event, dict]:
    value = base64.b64decode(line["value"])
    event = Event(line["id"], line["campaign"], value, line["source"], line["kind"], line["trace"], line["expires"],
                  line["stream"])
    return event, {"key": line["key"], "value": value, "partition": line["partition"],
                   "headers": [(name, text.encode()) for name, text in line["headers"]]}


class Mix:
    """Makes one event after another. `before` are lines of producers that ran before: they too are repeated.

    A producer that keys its records sends all of an identity to one partition; one that does not, to any."""

    def __init__(self, seed: int, generation: int, streams: list, before=(), has_keys: bool = True):
        self.chance = random.Random(f"{seed}/{generation}")
        self.generation, self.streams, self.number, self.has_keys = generation, streams, 0, has_keys
        self.sent = list(before)[-300:]
        self.repeats: list = []

    def next(self, now: float, partitions: int) -> dict:
        """The next line; a repeat is the same line again."""
        line = self.chosen(now, partitions)
        return line if self.has_keys else {**line, "key": None, "partition": self.chance.randrange(partitions)}

    def chosen(self, now: float, partitions: int) -> dict:
        chance = self.chance
        if self.repeats and self.repeats[0][0] <= now:
            return heapq.heappop(self.repeats)[2]
        self.number += 1
        kind = chance.choices([*SHARES, "ordinary"], [*SHARES.values(), 100 - sum(SHARES.values())])[0]
        if kind in ("repeat", "conflict") and not self.sent:
            kind = "ordinary"
        if kind == "repeat":
            line = chance.choice(self.sent)
            if chance.random() < 0.5:
                return line
            # Once more, some time later; and now an ordinary one.
            heapq.heappush(self.repeats, (now + chance.uniform(1, 60), self.number, line))
            kind = "ordinary"
        line = self.made(kind, now, partitions)
        # A repeat of bytes without an identity is another event, by its place.
        if kind not in ("invalid", "conflict"):
            self.sent = self.sent[-300:] + [line]
        return line

    def made(self, kind: str, now: float, partitions: int) -> dict:
        chance, name = self.chance, f"{self.generation}-{self.number}"
        partition, campaign, identity = chance.randrange(partitions), f"cd-{name}", f"e-{name}"
        trace = f"{chance.getrandbits(128) | 1:032x}"
        if kind == "invalid":
            value = chance.choice([b"", b"{", b"\x00\x00\x00\x00\x01", b"\xff"]) + chance.randbytes(24)
            event = Event("", name, value, "", "invalid", trace)
            return written(event, {"key": name, "partition": partition, "headers": []})
        key, expires = identity, None
        stream = UNKNOWN_STREAM if kind == "unknown-stream" else chance.choice(self.streams)
        if kind == "shared":
            # A campaign of many events: all of them have its key.
            number = chance.randrange(4)
            campaign, partition = f"cd-shared-{number}", number % 2
            key, stream = campaign, self.streams[number % len(self.streams)]
        elif kind == "conflict":
            line = chance.choice(self.sent)
            identity, partition, key = line["id"], line["partition"], line["key"]
        elif kind == "expiring":
            expires = round(now + chance.choice([-60, 2, 10, 30]) + chance.random(), 3)
        data = {"streamId": stream, "campaignId": campaign, "metadata": {"n": name}}
        if expires is not None:
            data["expiresAt"] = datetime.fromtimestamp(expires, timezone.utc).isoformat(timespec="milliseconds")
        parent = f"00-{trace}-{chance.getrandbits(64) | 1:016x}-01"
        attributes = {"specversion": "1.0", "id": identity, "source": "/crm", "type": "campaign.start",
                      "traceparent": parent}
        if kind == "binary":
            fields = [(f"ce_{name}", text.encode()) for name, text in attributes.items()]
            value, fields = json.dumps(data).encode(), [*fields, ("content-type", b"application/json")]
        else:
            value = json.dumps({**attributes, "data": data}).encode()
            fields = [("content-type", b"application/cloudevents+json")]
        kind = kind if kind in ("expiring", "unknown-stream") else "ordinary"
        event = Event(identity, campaign, value, "/crm", kind, trace, expires, stream)
        return written(event, {"key": key, "partition": partition, "headers": fields})
