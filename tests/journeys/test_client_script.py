"""The browser client, as `/socket.io/socket.io.js` and as the module `/socket.io/socket.io.esm.js`."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

from tornado.httpclient import HTTPResponse
from tornado.testing import AsyncHTTPTestCase
from tornado.web import Application

import server

SOURCE = (Path(__file__).parents[2] / "handlers" / "socketio" / "browser" / "socket.io.js").read_bytes()
SCRIPT, MODULE = "/socket.io/socket.io.js", "/socket.io/socket.io.esm.js"


class TheScript(AsyncHTTPTestCase):
    def get_app(self) -> Application:
        return server.make_app()

    def ask(self, path: str, headers: Any = None, **options: Any) -> HTTPResponse:
        """Fetch, and leave what came as it came."""
        return self.fetch(path, headers=headers or {}, decompress_response=False, **options)

    def test_as_a_script_it_is_the_file_and_a_line_that_knows_where_it_is_served(self) -> None:
        answer = self.ask(SCRIPT)
        self.assertEqual(answer.code, 200)
        self.assertTrue(answer.body.startswith(SOURCE))
        self.assertRegex(answer.body[len(SOURCE) :], rb"\A\nif .* io.source = document.currentScript.src;\n\Z")
        self.assertEqual(answer.headers["Content-Type"], "text/javascript; charset=UTF-8")

    def test_as_a_module_it_is_the_file_and_its_exports_and_place(self) -> None:
        answer = self.ask(MODULE)
        self.assertEqual(answer.code, 200)
        self.assertTrue(answer.body.startswith(SOURCE))
        end = (
            b"\nio.source = import.meta.url;\nexport { io, io as default };\n"
            b"export const { connect, Manager, Socket, protocol } = io;\n"
        )
        self.assertEqual(answer.body[len(SOURCE) :], end)
        self.assertEqual(answer.headers["Content-Type"], "text/javascript; charset=UTF-8")

    def test_caches_keep_it_and_ask_again(self) -> None:
        for path in (SCRIPT, MODULE):
            answer = self.ask(path)
            self.assertEqual(answer.headers["Cache-Control"], "public, max-age=0")
            self.assertEqual(answer.headers["Vary"], "Accept-Encoding")
            self.assertRegex(answer.headers["Etag"], r'^"[^"]+"$')

    def test_a_client_that_has_it_gets_304_and_no_body(self) -> None:
        for path in (SCRIPT, MODULE):
            etag = self.ask(path).headers["Etag"]
            for condition in (etag, f'"other", {etag}', f"W/{etag}", "*"):
                answer = self.ask(path, {"If-None-Match": condition})
                self.assertEqual((answer.code, answer.body), (304, b""))
                self.assertEqual(answer.headers["Etag"], etag)
                self.assertEqual(answer.headers["Cache-Control"], "public, max-age=0")
                self.assertEqual(answer.headers["Vary"], "Accept-Encoding")

    def test_a_client_that_has_another_gets_it(self) -> None:
        self.assertEqual(self.ask(SCRIPT, {"If-None-Match": '"other"'}).code, 200)

    def test_script_and_module_have_tags_of_their_own(self) -> None:
        self.assertNotEqual(self.ask(SCRIPT).headers["Etag"], self.ask(MODULE).headers["Etag"])

    def test_it_comes_compressed_to_a_client_that_takes_gzip(self) -> None:
        for path in (SCRIPT, MODULE):
            plain, packed = self.ask(path), self.ask(path, {"Accept-Encoding": "br, gzip, deflate"})
            self.assertEqual(packed.headers["Content-Encoding"], "gzip")
            self.assertEqual(gzip.decompress(packed.body), plain.body)
            self.assertEqual(int(packed.headers["Content-Length"]), len(packed.body))
            self.assertLess(len(packed.body), 8500)
            self.assertNotIn("Content-Encoding", plain.headers)

    def test_it_comes_as_it_is_to_a_client_that_refuses_gzip(self) -> None:
        for refusal in ("identity", "gzip;q=0", "br"):
            answer = self.ask(SCRIPT, {"Accept-Encoding": refusal})
            self.assertNotIn("Content-Encoding", answer.headers)
            self.assertTrue(answer.body.startswith(SOURCE))

    def test_each_encoding_has_its_own_tag_and_304(self) -> None:
        gzipped = {"Accept-Encoding": "gzip"}
        plain, packed = self.ask(SCRIPT).headers["Etag"], self.ask(SCRIPT, gzipped).headers["Etag"]
        self.assertNotEqual(plain, packed)
        self.assertEqual(self.ask(SCRIPT, {**gzipped, "If-None-Match": packed}).code, 304)
        self.assertEqual(self.ask(SCRIPT, {**gzipped, "If-None-Match": plain}).code, 200)

    def test_HEAD_tells_what_GET_would_and_sends_nothing(self) -> None:
        for headers in ({}, {"Accept-Encoding": "gzip"}):
            got, told = self.ask(SCRIPT, headers), self.ask(SCRIPT, headers, method="HEAD")
            self.assertEqual((told.code, told.body), (200, b""))
            for name in ("Etag", "Content-Length", "Content-Type", "Cache-Control", "Vary"):
                self.assertEqual(told.headers[name], got.headers[name])

    def test_pages_of_other_origins_may_import_it(self) -> None:
        self.assertEqual(self.ask(MODULE).headers["Access-Control-Allow-Origin"], "*")

    def test_nothing_else_is_served_beside_it(self) -> None:
        for path in ("/socket.io/socket.io.js.map", "/socket.io/server.py", "/socket.ioXsocket.io.js"):
            self.assertEqual(self.ask(path).code, 404)
