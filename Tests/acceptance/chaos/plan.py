"""What happens when: a list that follows from the seed and the settings, and from nothing else."""

import random
from dataclasses import dataclass, field

API_FAULTS = [
    "status", "html-error", "unavailable", "gateway-unavailable", "rate-limited", "redirect", "empty", "reset", "close",
    "stall", "reset-before-reading", "close-before-reading", "truncated", "slow", "garbage", "raw", "content-type",
    "interim", "delay"]
TOXICS = ["latency", "bandwidth", "reset_peer", "timeout"]


@dataclass(frozen=True)
class Step:
    """One piece of trouble: it begins at `at` and is undone `seconds` later (both of the run's own time)."""

    at: float
    kind: str
    # What it touches; one target has one trouble at a time.
    target: str
    seconds: float
    detail: dict = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Scene:
    """What there is to be troubled."""

    replicas: tuple
    nodes: int = 3
    has_network: bool = True
    # Kinds that are left out.
    without: frozenset = frozenset()
    # Seconds between two troubles, in the middle.
    gap: float = 3.0
    # How many times as often SIGKILL is dealt as it stands in the deck.
    kills: int = 1


# How often each kind stands in the deck; what it touches; seconds until it is undone, at least and at most.
KINDS = {
    "kill-restart": (4, "replica", 0, 1),
    "kill-away": (2, "replica", 22, 40),
    "stop": (4, "replica", 3, 60),
    "term": (3, "replica", 0, 4),
    "cut-from-broker": (2, "network", 2, 40),
    "slow-to-broker": (2, "network", 3, 20),
    "cut-from-api": (2, "network", 1, 15),
    "slow-to-api": (3, "network", 3, 20),
    "producer-kill": (1, "producer", 0, 3),
    "producer-stop": (1, "producer", 3, 30),
    "producer-term": (1, "producer", 0, 3),
    "api-kill": (2, "api", 0, 15),
    "api-stop": (1, "api", 3, 20),
    "api-term": (1, "api", 0, 8),
    "api-refuses": (1, "api", 1, 10),
    "api-fault": (6, "api", 3, 12),
    "broker-kill": (1, "broker", 0, 15),
    "broker-stop": (1, "broker", 3, 25),
    "broker-restart": (1, "broker", 0, 5),
    "coordinator-restart": (1, "broker", 0, 5),
    "coordinator-kill": (1, "broker", 0, 8),
    "partitions": (1, "topics", 0, 6),
    "replay": (4, "operator", 0, 0),
    "two-operators": (3, "operator", 0, 0),
    "false-finding": (3, "operator", 0, 0),
    "not-replayable": (2, "operator", 0, 0),
    "hold": (3, "holds", 3, 12),
}
MOST_GROWTHS = 3


def plan(seed: int, seconds: float, scene: Scene) -> list[Step]:
    """Steps in the order of their times; all are undone before the end."""
    chance = random.Random(seed)
    kinds = [kind for kind, (count, target, *_) in KINDS.items()
             for _ in range(count * (scene.kills if "kill" in kind else 1))
             if kind not in scene.without and (target != "network" or scene.has_network)]
    faults, deck, growths = [], [], 0
    free: dict = {}
    steps = []
    at = min(6.0, seconds / 8)
    # What is dealt and cannot be done now is dealt again later, so that no kind is left out for being in the way.
    waiting: list = []
    while True:
        at += chance.uniform(0.2, 1.8) * scene.gap
        if at > seconds - 2:
            return steps
        for _ in range(len(kinds)):
            if not deck:
                deck = chance.sample(kinds, len(kinds))
            kind = waiting.pop(0) if waiting else deck.pop()
            least, most = KINDS[kind][2:]
            # Many short ones, some long.
            length = min(least + (most - least) * chance.random() ** 2, (seconds - at) * 0.8)
            target = choose(kind, chance, scene, free, at)
            if kind == "partitions" and growths == MOST_GROWTHS:
                continue
            if target is None or length < least:
                if len(waiting) < 20:
                    waiting.append(kind)
                continue
            growths += kind == "partitions"
            if kind == "api-fault" and not faults:
                faults = chance.sample(API_FAULTS, len(API_FAULTS))
            steps.append(Step(round(at, 2), kind, target, round(length, 2), detail(kind, chance, scene, faults)))
            free[target] = at + length + 4
            if kind == "kill-away":
                free["away"] = at + length + 4
            break


def choose(kind: str, chance: random.Random, scene: Scene, free: dict, at: float) -> str | None:
    target = KINDS[kind][1]
    if target not in ("replica", "network"):
        return target if free.get(target, 0) <= at else None
    if kind == "kill-away" and (len(scene.replicas) < 2 or free.get("away", 0) > at):
        return None
    idle = [name for name in scene.replicas if free.get(name, 0) <= at]
    return chance.choice(idle) if idle else None


def detail(kind: str, chance: random.Random, scene: Scene, faults: list) -> dict:
    if kind == "api-fault":
        return {"fault": faults.pop(), "probability": chance.choice([0.1, 0.5, 1.0])}
    if kind in ("cut-from-broker", "cut-from-api"):
        # Refused at once, or swallowed without a word.
        return {"silent": chance.random() < 0.5}
    if kind in ("slow-to-broker", "slow-to-api"):
        toxic = chance.choice(TOXICS)
        values = {"latency": {"latency": chance.randrange(100, 2500), "jitter": 100},
                  "bandwidth": {"rate": chance.randrange(4, 60)},
                  "reset_peer": {"timeout": chance.randrange(0, 800)},
                  "timeout": {"timeout": chance.randrange(100, 3000)}}[toxic]
        return {"toxic": toxic, "stream": chance.choice(["upstream", "downstream"]), "values": values,
                "toxicity": chance.choice([0.3, 1.0])}
    if kind.startswith("broker-"):
        return {"node": chance.randint(1, scene.nodes)}
    if kind in ("replay", "two-operators", "false-finding", "not-replayable"):
        return {"count": chance.randint(1, 20)}
    if kind == "hold":
        return {"resumed": chance.randint(1, 2), "scope": chance.choice([
            ["all"], ["account", "main"], ["account", "second"], ["stream", "st-one"],
            ["campaign", "st-one", "cd-shared-0"]])}
    if kind == "partitions":
        return {"more": chance.randint(1, 2), "first": chance.choice(["source", "ledger"])}
    return {}
