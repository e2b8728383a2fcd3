"""How each kind of trouble is made and undone. `do` runs in a thread of its own."""

import signal
import time
import urllib.error
import urllib.request

from confluent_kafka import KafkaException
from harness import until

from chaos import people, replays
from chaos.plan import Step
from chaos.world import World

DRAIN_SECONDS = 90


def do(world: World, step: Step) -> None:
    kind = step.kind
    world.note(kind, step.target, seconds=step.seconds, **step.detail)
    if kind in REPLICA:
        REPLICA[kind](world, step)
    elif kind.startswith("producer-"):
        producer(world, step)
    elif kind.startswith("api-"):
        api(world, step)
    elif kind in REPLAYS:
        REPLAYS[kind](world, step)
    elif kind == "hold":
        people.hold(world, step)
        if step.detail["resumed"] > 1:
            # And once more by the command, which must see that nothing is held.
            replays.commands(world, [["resume", *step.detail["scope"], "--because", "chaos run"]], (1, 3))
    elif kind == "partitions":
        world.add_partitions(step.detail["more"], step.detail["first"], step.seconds)
    else:
        broker(world, step)
    world.note("undone", step.target, of=kind)


def wait(world: World, step: Step) -> None:
    world.over.wait(step.seconds)


# Replicas


def kill(world: World, step: Step) -> None:
    replica = world.hold(step.target)
    world.kill(replica)
    world.note("killed", step.target)
    wait(world, step)
    world.start(step.target, "SIGKILL" if step.kind == "kill-restart" else "a while")


def stop(world: World, step: Step) -> None:
    replica = world.hold(step.target)
    begin = time.time()
    replica.process.send_signal(signal.SIGSTOP)
    wait(world, step)
    replica.process.send_signal(signal.SIGCONT)
    world.interrupt(step.target, begin, time.time())
    with world.lock:
        world.held.discard(step.target)


def term(world: World, step: Step) -> None:
    replica = world.hold(step.target)
    # Before its first line a process does not listen to signals, and has begun nothing.
    until(lambda: replica.file.stat().st_size > replica.offset or replica.process.poll() is not None,
          f"{step.target} says nothing", DRAIN_SECONDS)
    begin = time.time()
    replica.process.terminate()
    try:
        code = replica.exit(DRAIN_SECONDS)
    except Exception:  # noqa: BLE001 - subprocess.TimeoutExpired: it is said and goes on
        world.complaints.append(f"{step.target} did not end within {DRAIN_SECONDS} s of SIGTERM")
        world.kill(replica)
        code = None
    if code not in (0, 4, *range(5, 7), None):
        world.complaints.append(f"{step.target} ended with {code} after SIGTERM")
    if code != 0:
        # The drain's deadline passed: what was under way is in doubt.
        world.interrupt(step.target, begin, time.time())
    world.note("drained", step.target, took=round(time.time() - begin, 3), code=code)
    wait(world, step)
    world.start(step.target, "SIGTERM")


def cut(world: World, step: Step) -> None:
    to = step.kind.rsplit("-", 1)[1]
    begin = time.time()
    world.network.cut(step.target, to, step.detail["silent"])
    wait(world, step)
    world.network.restore(step.target, to)
    world.interrupt(step.target, begin, time.time() + 1)


def slow(world: World, step: Step) -> None:
    to, detail = step.kind.rsplit("-", 1)[1], step.detail
    begin = time.time()
    world.network.poison(step.target, to, detail["toxic"], detail["stream"], detail["values"], detail["toxicity"])
    wait(world, step)
    world.network.restore(step.target, to)
    world.interrupt(step.target, begin, time.time() + 1)


REPLICA = {"kill-restart": kill, "kill-away": kill, "stop": stop, "term": term, "cut-from-broker": cut,
           "cut-from-api": cut, "slow-to-broker": slow, "slow-to-api": slow}


REPLAYS = {"replay": replays.replay, "two-operators": replays.two_operators, "false-finding": replays.false_finding,
           "not-replayable": replays.not_replayable}


# The others


def producer(world: World, step: Step) -> None:
    process = world.producer_process
    if step.kind == "producer-stop":
        process.send_signal(signal.SIGSTOP)
        wait(world, step)
        process.send_signal(signal.SIGCONT)
        return
    if step.kind == "producer-kill":
        process.kill()
    else:
        process.terminate()
    process.wait(250)
    wait(world, step)
    world.start_producer()


def api(world: World, step: Step) -> None:
    """All replicas lose answers while the API ends, stands still or refuses; a fault's calls stand in the journal."""
    begin = time.time()
    if step.kind == "api-fault":
        world.set_faults({"operations": ["start"], "probability": step.detail["probability"],
                          "fault": fault(step.detail["fault"])})
        wait(world, step)
        world.set_faults()
        return
    if step.kind == "api-refuses":
        request = urllib.request.Request(
            f"{world.simulator_url}/simulator/down?milliseconds={int(step.seconds * 1000)}", b"", method="POST")
        try:
            urllib.request.urlopen(request, timeout=10).close()
        except (urllib.error.URLError, ConnectionError) as error:
            world.note("no answer", "api", error=str(error))
        wait(world, step)
    elif step.kind == "api-stop":
        world.simulator.send_signal(signal.SIGSTOP)
        wait(world, step)
        world.simulator.send_signal(signal.SIGCONT)
    else:
        if step.kind == "api-kill":
            world.simulator.kill()
        else:
            world.simulator.terminate()
        world.simulator.wait(30)
        wait(world, step)
        world.start_api()
    world.interrupt("*", begin - 0.1, time.time() + 1)


def fault(kind: str) -> dict:
    """Long enough for the call's deadline where the fault is about time."""
    more = {"stall": {"atMostMilliseconds": 5000}, "slow": {"bytes": 5, "pauseMilliseconds": 60},
            "delay": {"delayBeforeMilliseconds": 300, "delayAfterMilliseconds": 2900},
            "rate-limited": {"retryAfter": "2"}, "interim": {"codes": [100, 103]}, "raw": {"text": "HTTP/1.1 200"}}
    return {"kind": kind, **more.get(kind, {})}


def coordinator(world: World) -> int:
    """The node that coordinates the bridge's group now."""
    # The client must live until the answer is there.
    admin = world.admin()

    def found():
        try:
            return admin.describe_consumer_groups([world.name])[world.name].result(30).coordinator.id
        except KafkaException:
            # It may be moving just now; the library does not call each error of that kind retriable.
            return None

    return until(found, "the group has no coordinator", 30, every=0.5)


def broker(world: World, step: Step) -> None:
    node = step.detail.get("node") or coordinator(world)
    begin = world.note("node", step.target, node=node)
    if step.kind == "broker-stop":
        world.kafka("pause", node)
        wait(world, step)
        world.kafka("resume", node)
    else:
        restart(world, step, node)
    with world.lock:
        world.outages.append((begin, time.time()))


def restart(world: World, step: Step, node: int) -> None:
    world.kafka("kill" if step.kind.endswith("-kill") else "stop", node)
    wait(world, step)
    try:
        world.kafka("start", node)
    except RuntimeError as error:
        # What an orchestrator would do, once; a broker that does not come back is a complaint of the run.
        world.note("did not start", step.target, error=str(error), node=node)
        world.kafka("start", node)
