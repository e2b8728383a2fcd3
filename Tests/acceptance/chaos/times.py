"""How long what took, from the replicas' logs and the run's own record."""

import json
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from evidence import seconds


@dataclass
class Log:
    """What counts of one replica's log, by time; each entry begins with it."""

    # Time of the call's begin, partition.
    calls: list = field(default_factory=list)
    assigned: list = field(default_factory=list)
    taken: list = field(default_factory=list)
    # How long doubts took to be decided.
    doubts: list = field(default_factory=list)


def read(file: Path) -> Log:
    log, since = Log(), {}
    with file.open("rb") as lines:
        for text in lines:
            if not text.startswith(b"{") or not text.endswith(b"\n"):
                continue
            line = json.loads(text)
            message = line["message"]
            if message == "call ended":
                log.calls.append((seconds(line["time"]) - line["ms"] / 1000, line["partition"]))
            elif message == "partitions assigned":
                log.assigned.append((seconds(line["time"]), {int(one) for one in line["partitions"].split(",") if one}))
            elif message == "partition taken over":
                log.taken.append((seconds(line["time"]), line["partition"]))
            elif message.startswith("outcome in doubt"):
                since[place(line)] = seconds(line["time"])
            elif message in ("dead letter", "campaign started") and place(line) in since:
                log.doubts.append(seconds(line["time"]) - since.pop(place(line)))
            elif message == "campaign-bridge starts":
                # What the process before it had in doubt, somebody else decides.
                since = {}
    return log


def place(line: dict) -> tuple:
    """Of a record; a replay of the same event stands elsewhere."""
    return line["partition"], line["offset"]


def first(entries: list, after: float, fits) -> tuple | None:
    fitting = (entry for entry in entries if entry[0] > after and fits(entry[1]))
    return min(fitting, key=lambda entry: entry[0], default=None)


def times(folder: Path, names: tuple, notes: list) -> dict:
    """Lists of seconds by what they are."""
    logs = {name: read(folder / f"{name}.log") for name in names}
    found = defaultdict(list)
    steps = [note for note in notes if note["kind"] in ("kill-restart", "kill-away", "killed", "starts", "drained")]
    for index, note in enumerate(steps):
        name, later = note["target"], [one for one in steps[index + 1:] if one["target"] == note["target"]]
        if name not in logs:
            continue
        if note["kind"] == "drained" and note["code"] == 0:
            found["SIGTERM: drained and ended"].append(note["took"])
        elif note["kind"] == "starts":
            end = min((one["at"] for one in later), default=1e12)
            call = first(logs[name].calls, note["at"], lambda _: True)
            if call and call[0] < end:
                found[f"a replica's start after {note['after']} to its first call"].append(call[0] - note["at"])
        elif note["kind"] == "killed":
            back = min((one["at"] for one in later if one["kind"] == "starts"), default=1e12)
            theirs = {partition for at, partition in logs[name].calls if note["at"] - 5 < at <= note["at"]}
            heirs = [log for other, log in logs.items() if other != name]
            succession(found, note["at"], back, theirs, heirs)
    for log in logs.values():
        found["in doubt to its decision"] += log.doubts
    return found


def succession(found: dict, killed: float, back: float, theirs: set, heirs: list) -> None:
    """From a SIGKILL to the first call of another replica for one of the dead one's partitions."""
    # What was taken over after the kill, of what the dead one had.
    taken = min((one for log in heirs if (one := first(log.taken, killed, theirs.__contains__))), default=None)
    if taken is None or taken[0] > back:
        return
    heir = next(log for log in heirs if taken in log.taken)
    assigned = max((at for at, some in heir.assigned if killed < at <= taken[0] and taken[1] in some), default=None)
    call = first(heir.calls, taken[0], {partition for at, partition in heir.taken if at >= taken[0]}.__contains__)
    if assigned is None or call is None:
        return
    found["SIGKILL to the successor's first call"].append(call[0] - killed)
    found["  of it: session timeout, until the group gives the partitions on"].append(assigned - killed)
    found["  of it: open transactions and the ledger, until it is taken over"].append(taken[0] - assigned)
    found["  of it: until the first call"].append(call[0] - taken[0])
