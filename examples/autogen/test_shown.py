# SPDX-License-Identifier: Apache-2.0
"""What the client shows, saves and sends where it should not: nothing. It needs no vault."""

import contextlib
import copy
import http.client
import io
import os
import pickle
import threading
import traceback
import unittest
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, HTTPServer
from unittest import mock

from agentsecretstore import AgentVault, InvalidRequest, Secret, Token, VaultError
from agentsecretstore._http import post

CANARY = "kw_agent_canary5f0c2"


class Shown(unittest.TestCase):
    def test_held(self) -> None:
        for held in (Secret(CANARY, "a/b", 1, {}), Token(CANARY, "1", "a", datetime.now(timezone.utc)), AgentVault(CANARY)):
            self.assertNotIn(CANARY, f"{held} {held!r} {getattr(held, '__dict__', '')}")
            for save in (pickle.dumps, copy.deepcopy):
                with self.assertRaises(TypeError) as caught:
                    save(held)
                self.assertNotIn(CANARY, "".join(traceback.format_exception(caught.exception)))

    def test_malformed_bearers(self) -> None:
        for bearer in (f"{CANARY}\n", f"{CANARY}\r\nX-Y: z", f"{CANARY}é", f"{CANARY}\u2028", f"{CANARY}\0"):
            with self.assertRaises(InvalidRequest) as caught:
                post("http://127.0.0.1:1", "get", bearer, {}, 1)
            error: BaseException | None = caught.exception
            while error:
                self.assertNotIn(CANARY, repr(error))
                error = error.__context__

    def test_where_it_goes(self) -> None:
        """Neither to a proxy of the environment, nor on to where a redirect leads, nor to who debugs all connections."""
        elsewhere, proxy = Server(), Server()
        server = Server(f"http://127.0.0.1:{elsewhere.server_port}/api/v1/get")
        proxies = {name: f"http://127.0.0.1:{proxy.server_port}" for name in ("http_proxy", "https_proxy", "all_proxy")}
        printed = io.StringIO()
        with (
            mock.patch.dict(os.environ, proxies),
            mock.patch.object(http.client.HTTPConnection, "debuglevel", 1),
            contextlib.redirect_stdout(printed),
            self.assertRaises(VaultError),
        ):
            post(f"http://127.0.0.1:{server.server_port}", "get", CANARY, {"path": "a/b"}, 5)
        self.assertEqual((server.asked, proxy.asked, elsewhere.asked), (1, 0, 0))
        self.assertNotIn(CANARY, printed.getvalue())


class Server(HTTPServer):
    """Answers 307 to `there`, and counts."""

    def __init__(self, there: str = "") -> None:
        super().__init__(("127.0.0.1", 0), Redirect)
        self.there, self.asked = there, 0
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Redirect(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        self.server.asked += 1
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(307)
        self.send_header("Location", self.server.there)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


if __name__ == "__main__":
    unittest.main()
