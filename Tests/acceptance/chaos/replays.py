"""Dead letters are replayed: rightly, by two people at once, with a false finding, and where nothing may come of it."""

import json
import subprocess
import threading

from evidence import headers

from chaos.people import send
from chaos.plan import Step

REMOVED = ("campaign-bridge-", "__connect.errors.", "kafka_dlt-")
REPLAYED = (b"rejected", b"outcome-unknown")
COMMAND_SECONDS = 180


def replay(world, step: Step) -> None:
    """Some dead letters that wait for it. A finding is what the journal says."""
    starts = journal(world)
    write(world, [record(letter, finding(letter, starts))
                  for letter in waiting(world, step.detail["count"])])


def two_operators(world, step: Step) -> None:
    """Two people give the same commands for the same dead letters at the same moment."""
    groups: dict = {}
    starts = journal(world)
    for letter in waiting(world, step.detail["count"]):
        found = finding(letter, starts)[:1]
        groups.setdefault(found, []).append(f"{letter.partition()}:{letter.offset()}")
    for found, places in groups.items():
        verb = ["resolve", "--finding", *found] if found else ["replay", "--rate", "1000"]
        commands(world, [["dead-letters", *verb, *places, "--because", "chaos run", "--operator", name, "--yes"]
                         for name in ("ann", "bob")], (0, 1, 3, 4))
        world.note("replayed", "operator", places=places, finding=found)


def false_finding(world, step: Step) -> None:
    """The opposite of what the journal says; of every third one somebody else says the truth before, of every third
    one after. What was started may be started again: an operator has said so."""
    starts, records = journal(world), []
    for number, letter in enumerate(waiting(world, step.detail["count"], (b"outcome-unknown",))):
        true = finding(letter, starts)
        false = ("not-started",) if true[0] == "started" else ("started", "cid-mistaken")
        world.mistakes.add((headers(letter)["campaign-bridge-nonce"], false[0].encode()))
        records += [record(letter, found) for found in ([false], [true, false], [false, true])[number % 3]]
    write(world, records)


def not_replayable(world, step: Step) -> None:
    """Replays that answer no dead letter: the wrong one, a generation too far, without the finding that it needs, and
    of a replay that was refused. Nothing but a refusal may come of them."""
    letters, records, sent = list(world.tail("dead").messages)[-200:], [], traces(world)
    chosen = [letter for letter in letters if headers(letter)["campaign-bridge-reason"] in REPLAYED
              and letter.value() in sent][-step.detail["count"]:]
    for number, letter in enumerate(chosen):
        is_safe = headers(letter)["campaign-bridge-safe-to-replay"] == b"true"
        change = [{"nonce": b"0123456789abcdef"}, {"further": 1}, {}][number % (2 if is_safe else 3)]
        records.append(record(letter, (), **change))
    records += [record(letter, ()) for letter in letters
                if headers(letter)["campaign-bridge-reason"] == b"replay-refused"][-2:]
    write(world, records)


def write(world, records: list) -> None:
    if records:
        send(world, world.topic("source"), records)
    world.note("replayed", "operator", records=len(records))


def waiting(world, count: int, reasons: tuple = REPLAYED) -> list:
    """Dead letters that nobody has replayed, the oldest first; from now on somebody has."""
    sent = traces(world)
    found = [one for one in list(world.tail("dead").messages)
             if headers(one)["campaign-bridge-reason"] in reasons and one.value() in sent
             and headers(one)["campaign-bridge-nonce"] not in world.replayed][:count]
    world.replayed.update(headers(one)["campaign-bridge-nonce"] for one in found)
    return found


def record(letter, found: tuple, nonce: bytes | None = None, further: int = 0) -> dict:
    """As docs/contracts.md describes it."""
    fields = headers(letter)
    added = {"generation": str(int(fields["campaign-bridge-generation"]) + 1 + further).encode(),
             "nonce": nonce or fields["campaign-bridge-nonce"], "identity": fields["campaign-bridge-identity-key"],
             "operator": b"chaos", "reason": b"chaos run"}
    added |= dict(zip(("finding", "instance-id"), (text.encode() for text in found), strict=False))
    kept = [(name, value) for name, value in letter.headers() if not name.startswith(REMOVED)]
    return {"key": letter.key(), "value": letter.value(), "partition": int(fields["campaign-bridge-source-partition"]),
            "headers": kept + [(f"campaign-bridge-replay-{name}", value) for name, value in added.items()]}


def finding(letter, starts: dict) -> tuple:
    """What it takes: nothing, or a finding and with it the instance."""
    fields = headers(letter)
    if fields["campaign-bridge-safe-to-replay"] == b"true":
        return ()
    instance = starts.get(letter.value())
    return ("started", instance) if instance else ("not-started",)


def traces(world) -> dict:
    """Of the events that were sent, by their bytes."""
    return {event.value: event.trace for event in world.events_sent()[0]}


def journal(world) -> dict:
    """Instances by the bytes of the event that was started, read anew: `decisions` is the judge's."""
    lines = (world.folder / "journal.jsonl").read_bytes().splitlines()
    found = [json.loads(line) for line in lines if line.endswith(b"}")]
    starts = {line["requestId"]: line["campaignInstanceId"] for line in found
              if line["kind"] == "decision" and line["operation"] == "start" and line["decision"] == "started"}
    return {value: starts[trace] for value, trace in traces(world).items() if trace in starts}


def commands(world, lines: list, allowed: tuple) -> None:
    """All of them at once, as people give them. Any other exit code is a complaint."""
    config = world.config(f"operator-{threading.get_ident()}")
    running = [subprocess.Popen([world.binary, *words, "-c", config, "-o", "json"],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
               for words in lines]
    for process, words in zip(running, lines, strict=True):
        try:
            output, errors = process.communicate(timeout=COMMAND_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            world.complaints.append(f"`{' '.join(words)}` did not end within {COMMAND_SECONDS} s")
            continue
        if process.returncode not in allowed:
            world.complaints.append(f"`{' '.join(words)}` ended with {process.returncode}: {errors.decode()[-500:]}")
        world.note("command", "operator", words=words, code=process.returncode, output=output.decode()[-2000:])
