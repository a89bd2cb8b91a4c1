"""Lets vendors' own Python clients make the same calls as requests of fixtures, and prints what they put on the wire."""

import http.server
import json
import re
import sys
import threading
import types
from urllib.parse import parse_qs, unquote, urlsplit


class Absent(types.ModuleType):
    """Stands in for what a client imports and calls do not need: tables of numbers."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


for absent in ("numpy", "pandas"):
    sys.modules[absent] = Absent(absent)

import odoolib  # noqa: E402
import requests  # noqa: E402
from azure.core.credentials import AccessToken  # noqa: E402
from PowerPlatform.Dataverse.client import DataverseClient  # noqa: E402


class Recorder(http.server.BaseHTTPRequestHandler):
    """Keeps what comes, and answers each with something that no client chokes on."""

    protocol_version = "HTTP/1.1"
    received = []
    # What stands in the next answers, first to last; then, empty ones.
    answers = []

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.received.append({"method": self.command, "path": self.path, "headers": headers, "body": body})
        text = json.dumps(self.answers.pop(0) if self.answers else {}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PATCH = do_DELETE = handle_any

    def log_message(self, *_):
        pass


class Credential:
    """What the client asks for a token."""

    def get_token(self, *_scopes, **_named):
        return AccessToken("token", 2**31)


def odoo(port, asked):
    """A model's method, with its arguments by name."""
    model, method = re.fullmatch(r"/json/2/([^/]+)/([^/]+)", asked["path"]).groups()
    database = asked["headers"].get("x-odoo-database")
    connection = odoolib.get_connection("127.0.0.1", "json2", port, database, password="key")
    Recorder.answers[:] = [[]]
    getattr(connection.get_model(model), method)(**asked["json"])
    return 1


ENVIRONMENT = "https://contoso.example.test"


def dataverse(port, asked):
    """A call for a table, which the client knows by its logical name and asks the address of."""
    # The client takes no address without TLS.
    local = f"http://127.0.0.1:{port}"
    requests.request = lambda method, url, **named: requests.api.request(method, url.replace(ENVIRONMENT, local, 1), **named)
    path, query = unquote(urlsplit(asked["path"]).path), parse_qs(urlsplit(asked["path"]).query)
    entity_set, key = re.fullmatch(r"/api/data/v9\.2/(\w+)(?:\((.*)\))?", path).groups()
    parts = lambda name: query[name][0].split(",") if name in query else None  # noqa: E731
    table = {"EntitySetName": entity_set, "PrimaryIdAttribute": "id"}
    records = DataverseClient(ENVIRONMENT, Credential()).records
    # The address of the table; columns of choices, where there are texts that could be choices.
    texts = any(isinstance(value, str) and "@odata." not in name for name, value in (asked.get("json") or {}).items())
    about = [{"value": [table]}] + [{"value": []}] * texts
    Recorder.answers[:] = about
    if asked["method"] == "PATCH" and "=" in key:
        # Quotes within a text are doubled.
        column, value = re.fullmatch(r"(\w+)='(.*)'", key).groups()
        records.upsert("table", [{"alternate_key": {column: value.replace("''", "'")}, "record": asked["json"]}])
    elif asked["method"] == "PATCH":
        # The body is made before the address is asked for.
        Recorder.answers[:] = about[1:] + about[:1]
        records.update("table", key, asked["json"])
    elif asked["method"] == "DELETE":
        records.delete("table", key)
    elif key:
        records.retrieve("table", key, select=parts("$select"))
    else:
        size = re.fullmatch(r"odata\.maxpagesize=(\d+)", asked["headers"]["prefer"]).group(1)
        if "$skiptoken" in query:
            Recorder.answers.append({"value": [], "@odata.nextLink": ENVIRONMENT + asked["path"]})
        records.list("table", select=parts("$select"), filter=query.get("$filter", [None])[0], orderby=parts("$orderby"), page_size=int(size))
        return len(about) + 1 + ("$skiptoken" in query)
    return len(about) + 1


CLIENTS = {"odoo": odoo, "dataverse": dataverse}


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    said = []
    with open(sys.argv[1], encoding="utf-8") as file:
        every = json.load(file)
    for asked in every:
        Recorder.received.clear()
        trouble, expected = None, 0
        try:
            expected = CLIENTS[asked["vendor"]](server.server_port, asked)
        except Exception as error:  # noqa: BLE001
            trouble = f"{type(error).__name__}: {error}"[:300]
        received = Recorder.received[:]
        if expected and len(received) == expected:
            said.append(received[-1])
        else:
            said.append({"trouble": trouble, "sent": [f"{one['method']} {one['path']}" for one in received]})
    server.shutdown()
    print(json.dumps(said))


main()
