"""TCP proxies by toxiproxy: the way from each replica to each broker, and from each replica to the API."""

import json
import os
import random
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

from harness import until

ROOT = Path(__file__).resolve().parents[3]


def toxiproxy() -> str | None:
    """The program: TOXIPROXY, the folder beside the repository, or the one on PATH."""
    beside = ROOT.parent / "shared/bin/toxiproxy-server"
    return os.environ.get("TOXIPROXY") or (str(beside) if beside.exists() else shutil.which("toxiproxy-server"))


def free_port() -> int:
    """Below those of outgoing connections: who is away for a while must get its port again."""
    while True:
        with socket.socket() as one:
            try:
                one.bind(("127.0.0.1", random.randrange(12_000, 32_000)))
            except OSError:
                continue
            return one.getsockname()[1]


class Network:
    """The proxy's process and its ways. A way's name is `r1/broker-2` or `r1/api`."""

    def __init__(self, program: str, folder: Path):
        self.url = f"http://127.0.0.1:{free_port()}"
        self.ways: list = []
        with (folder / "toxiproxy.log").open("ab") as log:
            self.process = subprocess.Popen([program, "-host", "127.0.0.1", "-port", self.url.rsplit(":", 1)[1]],
                                            stdout=log, stderr=log)
        until(self.answers, "toxiproxy does not listen", 20)

    def ask(self, method: str, path: str, body: dict | None = None):
        request = urllib.request.Request(self.url + path, None if body is None else json.dumps(body).encode(),
                                         {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text.startswith((b"{", b"[")) else None

    def answers(self) -> bool:
        try:
            self.ask("GET", "/version")
            return True
        except urllib.error.URLError:
            assert self.process.poll() is None, "toxiproxy ended"
            return False

    def add(self, way: str, listen: str, upstream: str) -> None:
        self.ask("POST", "/proxies", {"name": way.replace("/", "."), "listen": listen, "upstream": upstream,
                                      "enabled": True})
        self.ways.append(way)

    def of(self, replica: str, to: str) -> list:
        return [way.replace("/", ".") for way in self.ways if way.startswith(f"{replica}/{to}")]

    def cut(self, replica: str, to: str, silent: bool) -> None:
        for way in self.of(replica, to):
            if silent:
                for stream in ("upstream", "downstream"):
                    self.ask("POST", f"/proxies/{way}/toxics", {"name": stream, "type": "timeout", "stream": stream,
                                                                "toxicity": 1.0, "attributes": {"timeout": 0}})
            else:
                self.ask("POST", f"/proxies/{way}", {"enabled": False})

    def poison(self, replica: str, to: str, toxic: str, stream: str, values: dict, toxicity: float) -> None:
        for way in self.of(replica, to):
            self.ask("POST", f"/proxies/{way}/toxics", {"name": "one", "type": toxic, "stream": stream,
                                                        "toxicity": toxicity, "attributes": values})

    def restore(self, replica: str, to: str) -> None:
        for way in self.of(replica, to):
            self.ask("POST", f"/proxies/{way}", {"enabled": True})
            for toxic in self.ask("GET", f"/proxies/{way}/toxics"):
                self.ask("DELETE", f"/proxies/{way}/toxics/{toxic['name']}")

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(20)
