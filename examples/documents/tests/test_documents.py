"""Run by `python -m unittest tests.test_documents`, in the folder of the application."""

from __future__ import annotations

import re
from urllib.parse import urlencode

from app import make_app
from tornado.httpclient import HTTPResponse
from tornado.testing import AsyncHTTPTestCase, gen_test
from tornado.web import Application, create_signed_value
from tornado_socketio import Refused
from tornado_socketio.testing import TestClient, connect

SECRET = "a secret of the tests"


def cookie(user: str) -> dict[str, str]:
    """Headers of a browser that is logged in."""
    return {"Cookie": "user=" + create_signed_value(SECRET, "user", user).decode()}


async def people(client: TestClient) -> list[str]:
    """The newest news of who is here."""
    newest: list[str] = await client.receive("people")
    return newest


class DocumentTest(AsyncHTTPTestCase):
    def get_app(self) -> Application:
        app = make_app(cookie_secret=SECRET, log_function=lambda _: None)
        self.hub = app.settings["hub"]
        self.hub.settings = app.settings  # a server's first request does this
        return app

    async def open(self, user: str, document: str = "plan") -> TestClient:
        """Open a document in a new tab."""
        return await connect(self.hub, auth={"document": document}, headers=cookie(user))

    def test_login(self) -> None:
        form = self.fetch("/login")
        (token,) = re.findall(r'name="_xsrf" value="([^"]+)"', form.body.decode())
        answer = self.post("/login", form.headers["Set-Cookie"], name="Ann", _xsrf=token)
        self.assertEqual(answer.headers["Location"], "/")
        page = self.fetch("/plan", headers={"Cookie": answer.headers["Set-Cookie"]})
        self.assertIn("<h1>plan</h1>", page.body.decode())

    def test_a_login_needs_the_token_of_its_form(self) -> None:
        self.assertEqual(self.post("/login", "", name="Ann").code, 403)

    def test_without_a_login(self) -> None:
        for path in ("/", "/plan", "/files/plan/a.txt"):
            self.assertIn("/login?next=", self.fetch(path, follow_redirects=False).headers["Location"])

    @gen_test
    async def test_sockets_need_a_login_too(self) -> None:
        for headers in ({}, {"Cookie": "user=Ann"}):
            with self.assertRaises(Refused):
                await connect(self.hub, auth={"document": "plan"}, headers=headers)
        with self.assertRaises(Refused):
            await self.open("Ann", "W" * 101)

    @gen_test
    async def test_presence_counts_people_and_not_tabs(self) -> None:
        ann = await self.open("Ann")
        self.assertEqual(await people(ann), ["Ann"])
        first, second = await self.open("Bob"), await self.open("Bob")
        await self.open("Cleo", "another document")
        for here in (["Ann", "Bob"], ["Ann", "Bob"]):
            self.assertEqual(await people(ann), here)
        first.drop()
        self.assertEqual(await people(ann), ["Ann", "Bob"])
        second.disconnect()
        self.assertEqual(await people(ann), ["Ann"])

    @gen_test
    async def test_a_tab_that_comes_back_is_present_again(self) -> None:
        ann = await self.open("Ann")
        bob = await connect(self.hub, auth={"document": "plan"}, headers=cookie("Bob"), recovery=True)
        bob.drop()
        await bob.connect()
        shown = [await people(ann) for _ in range(4)]
        self.assertEqual(shown, [["Ann"], ["Ann", "Bob"], ["Ann"], ["Ann", "Bob"]])
        self.assertTrue(bob.recovered)
        self.assertEqual(await bob.call("upload", "a", 1), 0)

    @gen_test
    async def test_an_upload_shows_its_progress_to_all_and_is_a_file_then(self) -> None:
        ann, bob = await self.open("Ann"), await self.open("Bob")
        self.assertEqual(await ann.call("upload", "a ü.txt", 5), 0)
        self.assertEqual(await ann.call("chunk", b"abc"), 3)
        self.assertEqual(await ann.call("chunk", b"de"), 5)
        self.assertEqual([await bob.receive("progress") for _ in range(2)], [("a ü.txt", 3, 5), ("a ü.txt", 5, 5)])
        self.assertEqual([await bob.receive("files") for _ in range(2)], [[], ["a ü.txt"]])
        answer = await self.http_client.fetch(self.get_url("/files/plan/a%20%C3%BC.txt"), headers=cookie("Bob"))
        self.assertEqual(answer.body, b"abcde")
        self.assertEqual(answer.headers["Content-Disposition"], "attachment; filename*=UTF-8''a%20%C3%BC.txt")
        gone = await self.http_client.fetch(self.get_url("/files/plan/b"), headers=cookie("Bob"), raise_error=False)
        self.assertEqual(gone.code, 404)

    @gen_test
    async def test_an_upload_that_cannot_be_says_why(self) -> None:
        ann = await self.open("Ann")
        for name, size in (("", 5), ("W" * 101, 5), (7, 5), ("a", 0), ("a", 5_000_001), ("a", "5"), ("a", None)):
            self.assertIn("1 to", (await ann.call("upload", name, size))["message"])
        self.assertIn("Begin", (await ann.call("chunk", b"abc"))["message"])
        await ann.call("upload", "a", 2)
        self.assertIn("bytes", (await ann.call("chunk", "ab"))["message"])
        self.assertEqual(await ann.call("chunk", b"abc"), 2)
        self.assertIn("Begin", (await ann.call("chunk", b"c"))["message"])

    def post(self, path: str, cookies: str, **body: str) -> HTTPResponse:
        """Send a form."""
        return self.fetch(
            path, method="POST", headers={"Cookie": cookies}, body=urlencode(body), follow_redirects=False
        )
