"""A second platform, written from the API's documentation alone: what it says must not depend on our simulator.

Paths, envelopes, tokens (HS256) and errors are those of Kore.ai's pages. It writes a journal with the simulator's
fields, so that the same judge looks at it.
"""

import base64
import hashlib
import hmac
import json
import re
import socket
import struct
import threading
import time
import uuid
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

CLIENT, SECRET = "cs-00000000-0000-0000-0000-000000000001", b"simulator-secret"
START = re.compile(r"/api/v2/public/([^/]+)/campaign/trigger/([^/]+)")
STATUS = re.compile(r"/campaign/api/v2/public/([^/]+)/campaign/([^/]+)/status")
LIST = re.compile(r"/campaign/api/v2/public/([^/]+)/campaign/getAllCampaignDetails")


class Refused(Exception):
    """An answer with this status and the documented error body."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status, self.message = status, message


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def claims(token: str, now: float) -> dict:
    """Of a token that is good: signature, app, times."""
    try:
        head, body, signature = token.split(".")
        header, found = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in (head, body))
        wanted = hmac.new(SECRET, f"{head}.{body}".encode(), hashlib.sha256).digest()
        given = base64.urlsafe_b64decode(signature + "==")
    except ValueError as error:
        raise Refused(401, "error verifying the jwt: jwt malformed") from error
    if header.get("alg") != "HS256" or not hmac.compare_digest(wanted, given) or found.get("appId") != CLIENT:
        raise Refused(401, "error verifying the jwt: invalid signature")
    if found["exp"] <= now:
        raise Refused(401, "error verifying the jwt: jwt expired")
    if found["exp"] - found["iat"] > 3600:
        raise Refused(401, 'error verifying the jwt: if "jti" claim "exp" must be <= 1 hour(s)')
    return found


class FakeAPI:
    """Campaigns come into being when they are named, in status Ready. `losses` says how often a campaign's starts lose
    their answer, and whether they are done: campaign -> list of "after" (done, then the connection is reset) and
    "before" (not done)."""

    def __init__(self, folder: Path):
        self.folder, self.lock = folder, threading.RLock()
        self.campaigns: dict = {}
        self.losses: dict = {}
        # Statuses that the next reads are answered with, in the gateway's way.
        self.read_failures: list = []
        self.tokens: set = set()
        self.count = 0
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                fake.post(self)

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            # Of the default's 5, some of many connections at once would wait for a second.
            request_queue_size = 128

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def campaign(self, name: str) -> dict:
        now = iso(time.time())
        return self.campaigns.setdefault(name, {"_id": name, "name": name, "status": "Ready", "updatedAt": now,
                                                "campaignInstanceUpdatedAt": now})

    def change(self, name: str, status: str) -> None:
        """Somebody does something with the campaign."""
        with self.lock:
            self.campaign(name).update(status=status, updatedAt=iso(time.time()),
                                       campaignInstanceUpdatedAt=iso(time.time()))

    def write(self, operation: str, name: str, handler, **fields) -> None:
        self.count += 1
        line = {"kind": "decision", "sequence": self.count, "time": iso(time.time()), "operation": operation,
                "requestId": (handler.headers.get("traceparent") or "--").split("-")[1], "campaignId": name,
                "decision": "read", "campaignInstanceId": None, "fault": None, **fields}
        with (self.folder / "journal.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")

    def post(self, handler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        url = urlsplit(handler.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        try:
            with self.lock:
                answer = self.answer(handler, url.path, query, body)
        except Refused as refused:
            self.reply(handler, refused.status,
                       {"errors": [{"msg": refused.message, "code": refused.status}]})
            return
        if answer is None:
            # A reset in place of an answer.
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            handler.close_connection = True
            return
        self.reply(handler, *answer)

    @staticmethod
    def reply(handler, status: int, body) -> None:
        text = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "text/html" if isinstance(body, str) else "application/json; charset=utf-8")
        handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text)

    def answer(self, handler, path: str, query: dict, body: dict):
        now = time.time()
        if handler.headers.get("Content-Type") != "application/json" or not handler.headers.get("iid"):
            raise Refused(400, "headers are missing")
        if handler.headers.get("accountid") != query.get("accountId"):
            raise Refused(400, "accountId")
        token = claims(handler.headers.get("auth", ""), now)
        if token["jti"] in self.tokens:
            raise Refused(401, "error verifying the jwt: possibly a replay")
        self.tokens.add(token["jti"])
        if found := START.fullmatch(path):
            return self.start(handler, found[2], query)
        if self.read_failures:
            self.write("status", "", handler, fault="gateway")
            return self.read_failures.pop(0), "<html><body>gateway</body></html>"
        if found := STATUS.fullmatch(path):
            self.write("status", found[2], handler)
            campaign = self.campaign(found[2])
            return 200, {"status": "success", "data": {"id": found[2], "status": campaign["status"],
                                                       "name": campaign["name"]}}
        if LIST.fullmatch(path) and body.get("type") == "voice":
            self.write("list", "", handler)
            return 200, self.page(body)
        raise Refused(404, "not found")

    def page(self, body: dict) -> dict:
        wanted = body.get("filters", {}).get("status")
        some = [one for _, one in sorted(self.campaigns.items()) if not wanted or one["status"] in wanted]
        limit, page = body.get("limit", 10), body.get("page", 1)
        return {"status": "success", "data": {
            "results": some[(page - 1) * limit:page * limit], "hasMore": page * limit < len(some),
            "totalPages": -(-len(some) // limit), "totalResults": len(some)}}

    def start(self, handler, name: str, query: dict):
        if (query.get("campaignType"), query.get("trigger")) != ("voice", "play"):
            raise Refused(400, "campaignType, trigger")
        loss = self.losses[name].pop(0) if self.losses.get(name) else None
        if loss == "before":
            self.write("start", name, handler, decision="lost", fault="reset")
            return None
        instance = f"cid-{uuid.uuid4()}"
        self.change(name, "Active")
        self.write("start", name, handler, decision="started", campaignInstanceId=instance,
                   fault="reset" if loss else None)
        if loss:
            return None
        return 200, {"status": "Active", "message": "Campaign Started", "totalCallsCompleted": 0,
                     "updatedAt": iso(time.time()), "campaignInstanceId": instance}
