"""A kennel: a service with an API as odd as real ones, for the recipe of a connector. Nothing else knows it.

Every answer is 200 and says `ok`; a create is not told from its repetition; the search sees a write a moment late; times
have whole seconds; webhooks only say that something moved. `/_test/…` is for the test: the books, a person's edit, and
an answer that is lost after its effect. What is PUT is the desk's, another service that happens to live here.
"""

import hashlib
import hmac
import json
import sys
import threading
import time
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = "kennel-key"
SECRET = "kennel-hook-secret-of-24-bytes"
INDEX_LAG_S = 1.0

lock = threading.Lock()
guests = {}
numbers = {"guest": 0, "touch": 0, "hook": 0, "adds": 0, "lose": 0}
hooks_to = {"url": ""}
desk = {}


def stamp(at=None):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at if at is not None else time.time()))


def touch(guest):
    guest["rev"] += 1
    guest["touched"] = stamp()
    guest["_seen"] = time.time() + INDEX_LAG_S
    numbers["touch"] += 1
    guest["_touch"] = numbers["touch"]


def shown(guest):
    return {name: value for name, value in guest.items() if not name.startswith("_")}


def hook(kind, number):
    with lock:
        numbers["hook"] += 1
        sequence = numbers["hook"]
    url = hooks_to["url"]
    if not url:
        return
    body = json.dumps({"hook": kind, "no": number, "seq": sequence}).encode()
    at = str(int(time.time()))
    mac = hmac.new(SECRET.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
    request = urllib.request.Request(url, data=body, method="POST")
    request.add_header("content-type", "application/json")
    request.add_header("kennel-signature", f"t={at},k1={mac}")
    for _ in range(20):
        try:
            with urllib.request.urlopen(request, timeout=5):
                return
        except OSError:
            time.sleep(0.25)


def later(kind, number):
    threading.Thread(target=hook, args=(kind, number), daemon=True).start()


def wrong(fields):
    size = fields.get("size")
    if size is not None and size not in ("small", "large"):
        return {"ok": False, "code": "BAD_FIELD", "field": "size", "text": "size is small or large"}
    return None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, body, status=200):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def body(self):
        length = int(self.headers.get("content-length") or 0)
        return json.loads(self.rfile.read(length) or b"{}")

    def route(self, method):
        parts = urllib.parse.urlsplit(self.path)
        query = {name: values[0] for name, values in urllib.parse.parse_qs(parts.query).items()}
        body = self.body() if method == "POST" else {}
        if parts.path.startswith("/_test/"):
            return self.test(parts.path, query)
        if parts.path == "/":
            return self.answer({"account": "desk"})
        if self.headers.get("x-kennel-key") != KEY:
            return self.answer({"ok": False, "code": "WHO_ARE_YOU", "text": "unknown key"}, 401)
        call = {
            ("GET", "/v3/whoami"): lambda: {"ok": True, "house": "H-1"},
            ("GET", "/v3/guests.one"): lambda: self.one(query),
            ("GET", "/v3/guests.find"): lambda: self.find(query),
            ("GET", "/v3/changes.from"): lambda: self.changes_from(query),
            ("GET", "/v3/changes"): lambda: self.changes(query),
            ("POST", "/v3/guests.add"): lambda: self.add(body),
            ("POST", "/v3/guests.change"): lambda: self.change(body),
        }.get((method, parts.path))
        if call is None:
            return self.answer({"ok": False, "code": "NO_SUCH_CALL", "text": "no such call"}, 404)
        with lock:
            answer = call()
        if answer is None:
            # The effect is there, and nobody hears of it.
            self.close_connection = True
            return self.connection.close()
        return self.answer(answer)

    def one(self, query):
        guest = guests.get(query.get("no"))
        return {"ok": True, "guest": shown(guest)} if guest else {"ok": False, "code": "NO_SUCH_GUEST", "text": "none"}

    def find(self, query):
        now = time.time()
        found = [g for g in guests.values() if g.get("our_ref") == query.get("our_ref") and g["_seen"] <= now]
        return {"ok": True, "guests": [shown(guest) for guest in found]}

    def changes_from(self, query):
        since = query.get("since", "")
        # A cursor is the number of the last touch that was read, with a word before it that means nothing to others.
        before = [g["_touch"] for g in guests.values() if g["touched"] < since]
        return {"ok": True, "cursor": f"touch-{max(before, default=0)}"}

    def changes(self, query):
        word, number = (query.get("cursor") or "none-0").split("-")
        if word != "touch":
            return {"ok": False, "code": "BAD_CURSOR", "text": "that is no cursor"}
        found = sorted((g for g in guests.values() if g["_touch"] > int(number)), key=lambda g: g["_touch"])
        page = found[: int(query.get("take", "50"))]
        last = page[-1]["_touch"] if page else int(number)
        return {"ok": True, "guests": [shown(g) for g in page], "cursor": f"touch-{last}", "more": len(page) < len(found)}

    def add(self, body):
        fields = body.get("guest", {})
        if bad := wrong(fields):
            return bad
        numbers["guest"] += 1
        numbers["adds"] += 1
        number = f"G-{numbers['guest']}"
        guests[number] = {"no": number, "rev": 0, **fields}
        touch(guests[number])
        later("guest.touched", number)
        if numbers["lose"] > 0:
            numbers["lose"] -= 1
            return None
        return {"ok": True, "guest": shown(guests[number])}

    def change(self, body):
        guest = guests.get(body.get("no"))
        if guest is None:
            return {"ok": False, "code": "NO_SUCH_GUEST", "text": "none"}
        if bad := wrong(body.get("guest", {})):
            return bad
        guest.update(body.get("guest", {}))
        touch(guest)
        later("guest.touched", guest["no"])
        return {"ok": True, "guest": shown(guest)}

    def test(self, path, query):
        with lock:
            if path == "/_test/lose":
                numbers["lose"] = int(query["count"])
            elif path == "/_test/hooks":
                hooks_to["url"] = query["url"]
            elif path == "/_test/edit":
                guest = guests[query["no"]]
                guest[query["field"]] = query["value"]
                touch(guest)
                later("guest.touched", guest["no"])
            books = {"guests": [shown(guest) for guest in guests.values()], "adds": numbers["adds"], "desk": list(desk.values())}
        return self.answer(books)

    def do_GET(self):
        self.route("GET")

    def do_POST(self):
        self.route("POST")

    def do_PUT(self):
        with lock:
            status = 200 if self.path in desk else 201
            desk[self.path] = self.body()
        self.answer({}, status)


server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
