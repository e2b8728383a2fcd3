"""One whole run: trouble as planned, quiet, the verdict."""

import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka import KafkaException
from harness import until
from judge import Verdict

from chaos.actions import do
from chaos.network import toxiproxy
from chaos.plan import Scene, Step, plan
from chaos.times import times
from chaos.world import World

QUIET_SECONDS = 300


@dataclass
class Options:
    """What a run is like; the command line has the same names."""

    seed: int = 1
    seconds: float = 600
    replicas: int = 3
    nodes: int = 3
    rate: float = 25
    gap: float = 3
    # With intake: producers use no keys, and their repeats go anywhere.
    rekey: bool = False
    without: frozenset = frozenset()
    # A deliberate fault of a binary that was built with them.
    fault: str = ""
    # How many times as often SIGKILL comes as usual.
    kills: int = 1


@dataclass
class Report:
    """What a run came to."""

    steps: list
    times: dict
    verdict: Verdict | None
    complaints: list
    ends: list
    skipped: str
    quiet_after: float
    found: dict = field(default_factory=dict)

    @property
    def is_clean(self) -> bool:
        return self.verdict is not None and not self.verdict.problems and not self.complaints


class Progress:
    """One line that is written over on a terminal, and a line now and then elsewhere."""

    def __init__(self, out=sys.stderr):
        self.out, self.last, self.is_live = out, 0.0, out.isatty()

    def tell(self, text: str) -> None:
        if self.is_live:
            self.out.write(f"\r\x1b[K{text}")
            self.out.flush()
        elif time.monotonic() - self.last >= 10:
            self.last = time.monotonic()
            self.out.write(text + "\n")

    def end(self) -> None:
        if self.is_live:
            self.out.write("\r\x1b[K")


def run(binary: Path, folder: Path, options: Options, progress: Progress | None = None) -> Report:
    progress = progress or Progress()
    proxy = toxiproxy()
    skipped = "" if proxy else "no toxiproxy-server (TOXIPROXY): network faults are left out"
    world = World(binary, folder, options)
    scene = Scene(world.names, options.nodes, proxy is not None, options.without, options.gap, options.kills)
    steps = plan(options.seed, options.seconds, scene)
    try:
        world.up(proxy)
        until(lambda: world.outcomes() > 20, "nothing is started", 90)
        troubled(world, steps, options, progress)
        began = time.time()
        quiet(world, progress)
        quiet_after = time.time() - began
        verdict = world.verdict()
        return Report(steps, times(folder, world.names, world.notes), verdict, world.complaints, world.ends, skipped,
                      quiet_after)
    finally:
        progress.end()
        world.stop()


def troubled(world: World, steps: list[Step], options: Options, progress: Progress) -> None:
    began, threads, waiting = time.monotonic(), [], list(steps)
    world.started_at = time.time()
    locks = {step.target: threading.Lock() for step in steps}
    active: list = []

    def act(step: Step) -> None:
        # A step whose target is still busy with the last one waits for it.
        with locks[step.target]:
            active.append(step)
            try:
                do(world, step)
            except Exception as error:  # noqa: BLE001 - told at the end; the run goes on
                world.complaints.append(f"the run itself: {step.kind} of {step.target}: {error!r}")
            finally:
                active.remove(step)

    while (at := time.monotonic() - began) < options.seconds:
        while waiting and waiting[0].at <= at:
            threads.append(threading.Thread(target=act, args=(waiting.pop(0),)))
            threads[-1].start()
        world.outcomes()
        progress.tell(
            f"{at:4.0f} of {options.seconds:.0f} s; {len(world.tail('started').messages)} started, "
            f"{len(world.tail('dead').messages)} dead letters; trouble {len(steps) - len(waiting)} of {len(steps)}: "
            + (", ".join(sorted(f"{step.kind} {step.target}" for step in list(active))) or "none"))
        time.sleep(0.1)
    for thread in threads:
        thread.join(400)
        if thread.is_alive():
            world.complaints.append("the run itself: a trouble could not be undone")


def quiet(world: World, progress: Progress) -> None:
    """Everything is back; the producer ends; every record gets its outcome."""
    world.producer_process.terminate()
    if world.producer_process.wait(250) != 0:
        world.complaints.append("the run itself: the producer could not send everything")
    world.set_faults()
    world.finish_partitions()

    behind = "not known"

    def done():
        nonlocal behind
        world.outcomes()
        try:
            behind = unfinished(world)
        except KafkaException as error:
            # The group's coordinator is not back yet.
            behind = error.args[0].str()
        progress.tell(f"waiting until all is quiet; records behind: {behind}")
        return not behind

    try:
        until(done, "it did not become quiet", QUIET_SECONDS, every=0.5)
    except AssertionError:
        world.complaints.append(f"not quiet after {QUIET_SECONDS} s: records behind: {behind}")
        world.complaints.append(f"last words: {world.last_words()}")
    world.over.set()
    world.watcher.join(20)
    for name in world.names:
        replica = world.running[name]
        replica.process.terminate()
        code = replica.exit(90)
        if code != 0:
            world.complaints.append(f"{name} ended with {code} when all was quiet")


def unfinished(world: World) -> dict:
    """Records that are not done, by partition; with intake by topic too."""
    if not world.options.rekey:
        return world.lag()
    found = {"source": world.lag("source", f"{world.name}-intake"), "intake": world.lag("intake")}
    return {role: parts for role, parts in found.items() if parts}


def table(report: Report, options: Options) -> str:
    lines = ["", "What was done"]
    counts = Counter(step.kind for step in report.steps)
    for kind, count in sorted(counts.items()):
        lines.append(f"  {kind:<24}{count:>6}")
        if kind == "api-fault":
            kinds = Counter(step.detail["fault"] for step in report.steps if step.kind == kind)
            lines += [f"    {name:<22}{number:>6}" for name, number in sorted(kinds.items())]
    ends = Counter(code for _, code in report.ends)
    for code, count in sorted(ends.items()):
        lines.append(f"  {f'ended by itself, exit {code}':<24}{count:>6}")
    if report.skipped:
        lines.append(f"  {report.skipped}")
    lines += ["", f"{'Times, seconds':<70}{'number':>8}{'median':>8}{'longest':>9}"]
    for name, values in report.times.items():
        if values:
            values = sorted(values)
            lines.append(f"  {name:<68}{len(values):>8}{values[len(values) // 2]:>8.1f}{values[-1]:>9.1f}")
    lines.append(f"  {'the end of the trouble until all was quiet':<68}{1:>8}{report.quiet_after:>8.1f}{'':>9}")
    lines += ["", "Verdict"]
    for name, count in report.verdict.counts.items():
        lines.append(f"  {name:<34}{count:>7}")
    lines.append("")
    for name, events in report.verdict.found.items():
        lines.append(f"  {name:<34}{len(events):>7}" + (f"  {', '.join(sorted(events)[:5])}" if events else ""))
    lines += [f"  {text}" for text in report.complaints]
    lines += ["", f"seed {options.seed}; again: {command(options)}"]
    return "\n".join(lines)


def command(options: Options) -> str:
    words = ["make chaos", f"MINUTES={options.seconds / 60:g}", f"SEED={options.seed}", f"REPLICAS={options.replicas}",
             f"NODES={options.nodes}"]
    for name, value in (("GAP", options.gap), ("KILLS", options.kills)):
        if value != getattr(Options, name.lower()):
            words.append(f"{name}={value:g}")
    if options.rekey:
        words.append("REKEY=1")
    if options.without:
        words.append(f"WITHOUT={','.join(sorted(options.without))}")
    return " ".join(words)
