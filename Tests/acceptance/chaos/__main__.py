"""python -m chaos: seeded trouble on a real broker, and the verdict. scripts/chaos sets it up."""

import argparse
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from chaos.network import ROOT
from chaos.plan import KINDS
from chaos.run import Options, command, run, table


def main() -> int:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="what happens when, and which events (1)")
    parser.add_argument("--minutes", type=float, default=10, help="how long there is trouble (10)")
    parser.add_argument("--replicas", type=int, default=3)
    parser.add_argument("--nodes", type=int, default=3, choices=(1, 2, 3), help="brokers (3)")
    parser.add_argument("--rate", type=float, default=25, help="events a second (25)")
    parser.add_argument("--gap", type=float, default=3, help="seconds from one trouble to the next, about (3)")
    parser.add_argument("--kills", type=int, default=1, help="how many times as often SIGKILL comes as usual (1)")
    parser.add_argument("--rekey", action="store_true", help="with intake, and producers that use no keys")
    parser.add_argument("--without", default="", help=f"kinds that are left out, by comma; of {', '.join(KINDS)}")
    parser.add_argument("--fault", default="", help="a deliberate fault, for a binary that has them")
    parser.add_argument("--binary", type=Path, default=ROOT / ".build/release/campaign-bridge")
    parser.add_argument("--bites", action="store_true", help="the judge must complain: 0 if it does, 1 if not")
    parser.add_argument("--keep", action="store_true", help="keep the logs of a clean run too")
    chosen = parser.parse_args()
    without = frozenset(filter(None, chosen.without.split(",")))
    if unknown := without - set(KINDS):
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    options = Options(chosen.seed, chosen.minutes * 60, chosen.replicas, chosen.nodes, chosen.rate, chosen.gap,
                      chosen.rekey, without, chosen.fault, chosen.kills)
    # Told to end, it ends what it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = Path(tempfile.mkdtemp(prefix=f"campaign-bridge-chaos-{chosen.seed}-"))
    print(f"{command(options)}; logs in {folder}", file=sys.stderr)
    began, is_clean = time.monotonic(), False
    try:
        report = run(chosen.binary, folder, options)
        print(table(report, options))
        is_clean = report.is_clean
    finally:
        if is_clean and not chosen.keep:
            shutil.rmtree(folder)
        else:
            print(f"the logs are kept in {folder}", file=sys.stderr)
    print(f"{'clean' if is_clean else 'NOT CLEAN'}, after {time.monotonic() - began:.0f} s")
    if chosen.bites:
        print(f"{chosen.fault}: " + (f"found: {', '.join(report.verdict.problems)}" if report.verdict.problems
                                     else "NOT FOUND"))
        return 0 if report.verdict.problems else 1
    return 0 if is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
