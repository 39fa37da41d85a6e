"""The events of the board, over real sockets."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from conftest import PATIENCE
from raw_client import (
    JOURNEY,
    Polling,
    Server,
    WebSocket,
    io_loop,  # noqa: F401 (a fixture)
    join,
    serve,
)
from tornado.web import Application

import server as board
from handlers.board.changes import Changes
from handlers.board.handler import BoardHandler
from handlers.board.history import PAGE, History
from handlers.board.post import Post
from handlers.board.throttled_state import ThrottledState
from handlers.socketio import Hub
from handlers.socketio.operations import Addresses
from handlers.socketio.testing import Clock, connect

pytestmark = JOURNEY


class Person:
    """Somebody on the board: asks, and keeps what was heard meanwhile."""

    def __init__(self, client: Polling | WebSocket) -> None:
        self.client = client
        self.heard: list[list[Any]] = []
        self._asked = 0

    async def ask(self, event: str, *args: Any) -> Any:
        """Send an event and return its answer."""
        self._asked += 1
        await self.client.send(f"42{self._asked}{json.dumps([event, *args])}")
        while True:
            packet = str(await self.client.next())
            if packet.startswith(f"43{self._asked}["):
                (answer,) = json.loads(packet.removeprefix(f"43{self._asked}"))
                return answer
            self._hear(packet)

    async def hears(self, event: str) -> Any:
        """Wait for the next event of this name."""
        while True:
            for each in self.heard:
                if each[0] == event:
                    self.heard.remove(each)
                    return each[1]
            self._hear(str(await asyncio.wait_for(self.client.next(), PATIENCE)))

    def _hear(self, packet: str) -> None:
        assert packet.startswith("42["), packet
        self.heard.append(json.loads(packet.removeprefix("42")))


async def come(server: Server, transport: str = "websocket") -> Person:
    client = await server.open(transport)
    await join(client)
    return Person(client)


def board_at(path: Path | str = ":memory:", keep: int = 10_000) -> Application:
    return board.make_app(history=History(str(path), keep))


def names(told: dict[str, Any]) -> list[str]:
    """Return the names in the data of `here`, whose numbers agree."""
    assert told["online"] == len(told["people"]) + told["more"]
    return [person["name"] for person in told["people"]]


async def close(application: Application) -> None:
    await application.settings["history"].close()


async def history_of(person: Person, **wanted: Any) -> list[str]:
    return [post["text"] for post in (await person.ask("history", wanted))["posts"]]


# -- posts


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_a_post_is_acknowledged_and_everyone_gets_it(transport: str) -> None:
    async with serve(application := board_at()) as server:
        ann, bob = await come(server, transport), await come(server)
        answer = await ann.ask("post", {"text": " hello\r\nyou ", "name": " Ann "})
        post = await bob.hears("post")
        assert answer == {"id": post["id"]}
        assert {key: post[key] for key in ("text", "name")} == {"text": "hello\nyou", "name": "Ann"}
        assert post.keys() == {"id", "text", "name", "at", "person"}
        assert await ann.hears("post") == post
    await close(application)


async def test_who_asks_for_nothing_hears_news_private_and_posts_alone() -> None:
    async with serve(application := board_at()) as server:
        plain, person = await come(server), await come(server)
        await person.ask("here", {"name": "Ann"})
        await person.ask("typing", {})
        await person.ask("post", {"text": "hello"})
        heard = [await plain.hears(event) for event in ("news", "private", "news", "post")]
        assert heard[:3] == [
            {"msg": "One more person is online", "count": 1},
            {"msg": "Welcome you are the 1 person here"},
            {"msg": "One more person is online", "count": 2},
        ]
        await asyncio.sleep(0)
        assert await plain.ask("history", {"before": 0}) == {"posts": [], "more": False}
        assert plain.heard == []
    await close(application)


async def test_a_post_has_the_name_of_its_sender_unless_it_brings_one() -> None:
    async with serve(application := board_at()) as server:
        ann = await come(server)
        await ann.ask("post", {"text": "one"})
        await ann.ask("here", {"name": "Ann"})
        await ann.ask("post", {"text": "two"})
        await ann.ask("post", {"text": "three", "name": "Anna"})
        await ann.ask("post", {"text": "four", "name": ""})
        assert [(await ann.hears("post"))["name"] for _ in range(4)] == ["", "Ann", "Anna", ""]
    await close(application)


async def test_a_post_sent_twice_is_posted_once_also_after_a_restart(tmp_path: Path) -> None:
    post = {"text": "hello", "key": "0123"}
    answers = []
    for _ in range(2):
        async with serve(application := board_at(tmp_path / "board.sqlite3")) as server:
            for _ in range(2):
                ann = await come(server)
                answers.append(await ann.ask("post", post))
            assert await history_of(ann) == ["hello"]
        await close(application)
    assert answers == [answers[0]] * 4
    assert answers[0].keys() == {"id"}


async def test_a_key_that_names_another_post_is_refused() -> None:
    async with serve(application := board_at()) as server:
        ann = await come(server)
        await ann.ask("post", {"text": "hello", "key": "1"})
        assert "key names another post" in (await ann.ask("post", {"text": "good bye", "key": "1"}))["error"]
    await close(application)


async def test_five_posts_in_ten_seconds_are_the_limit_of_each_client() -> None:
    async with serve(application := board_at()) as server:
        ann, bob = await come(server), await come(server)
        for number in range(5):
            assert "id" in await ann.ask("post", {"text": str(number)})
        refused = await ann.ask("post", {"text": "5"})
        assert refused["error"].startswith("The limit is 5 posts in 10 seconds: wait for")
        assert 0 < refused["wait"] <= 10
        assert "id" in await bob.ask("post", {"text": "from bob"})
        assert await history_of(bob) == ["0", "1", "2", "3", "4", "from bob"]
    await close(application)


GOOD = {
    "a single character": "x",
    "a thousand characters": "x" * 1000,
    "a thousand emoji": "🙂" * 1000,
    "right-to-left marks": "\u202egnorw\u202c \u200fשלום",
    "zero-width characters between others": "a\u200bb\u2060c\ufeff",
    "a family, joined by zero-width joiners": "👨‍👩‍👧‍👦",
    "a script tag": "<script>alert(1)</script>",
    "line breaks": "a\n\n\nb",
    "marks upon marks": "Z" + "\u0335" * 900,
    "white space around": " \n\t x \u3000 ",
}


@pytest.mark.parametrize("what", GOOD)
async def test_a_post_may_be(what: str) -> None:
    async with serve(application := board_at()) as server:
        ann = await come(server)
        assert (await ann.ask("post", {"text": GOOD[what], "name": "Ann"})).keys() == {"id"}
        assert (await ann.hears("post"))["text"] == GOOD[what].strip()
    await close(application)


WRONG: dict[str, tuple[str, list[Any], list[str]]] = {
    "a post of nothing": ("post", [], ["text"]),
    "a post of two arguments": ("post", [{"text": "a"}, 2], ["one object", "2 arguments"]),
    "a post that is a text": ("post", ["hello"], ["object", "a text"]),
    "a post that is null": ("post", [None], ["object"]),
    "a post that is an array": ("post", [["hello"]], ["object", "an array"]),
    "a text that is a number": ("post", [{"text": 5}], ["text", "a number"]),
    "a text that is an object": ("post", [{"text": {"a": 1}}], ["text", "an object"]),
    "a text that is empty": ("post", [{"text": ""}], ["empty", "write"]),
    "a text of white space": ("post", [{"text": " \n\t\u3000"}], ["empty"]),
    "a text of zero width": ("post", [{"text": "\u200b\u200d\u2060\ufeff\u202e"}], ["empty"]),
    "a text that is too long": ("post", [{"text": "x" * 1001}], ["1,000", "1,001"]),
    "ten thousand emoji": ("post", [{"text": "🙂" * 10_000}], ["1,000", "10,000"]),
    "a megabyte, nearly": ("post", [{"text": "x" * 900_000}], ["1,000", "900,000"]),
    "a bell": ("post", [{"text": "a\u0007b"}], ["control", "U+0007"]),
    "a tab": ("post", [{"text": "a\tb"}], ["control", "U+0009"]),
    "a C1 control character": ("post", [{"text": "a\u0085b"}], ["control", "U+0085"]),
    "half a character": ("post", [{"text": "a\ud83d"}], ["control", "U+D83D"]),
    "a name that is a number": ("post", [{"text": "a", "name": 5}], ["name", "a number"]),
    "a name that is too long": ("post", [{"text": "a", "name": "x" * 33}], ["32", "33"]),
    "a name of two lines": ("post", [{"text": "a", "name": "a\nb"}], ["name", "control"]),
    "a name of zero width": ("post", [{"text": "a", "name": "\u200b"}], ["name", "visible"]),
    "a key that is a number": ("post", [{"text": "a", "key": 5}], ["key", "a number"]),
    "a key that is empty": ("post", [{"text": "a", "key": ""}], ["key", "64"]),
    "a key that is too long": ("post", [{"text": "a", "key": "x" * 65}], ["key", "65"]),
    "a history that is a number": ("history", [5], ["object"]),
    "a place that is a text": ("history", [{"before": "5"}], ["before"]),
    "a place that is true": ("history", [{"before": True}], ["before"]),
    "a place beyond all": ("history", [{"before": 10**30}], ["before"]),
    "a place before all": ("history", [{"before": -1}], ["before"]),
    "two places": ("history", [{"before": 5, "around": 5}], ["one place", "before and around"]),
    "a place around a text": ("history", [{"around": "5"}], ["around must be"]),
    "a presence that is a text": ("here", ["Ann"], ["object"]),
    "a presence with a long name": ("here", [{"name": "x" * 33}], ["32"]),
    "a presence with a name of null": ("here", [{"name": None}], ["name", "nothing"]),
    "a secret that is a number": ("here", [{"secret": 5}], ["secret", "a number"]),
    "a secret that is short": ("here", [{"secret": "x" * 15}], ["secret", "16", "15", "random"]),
    "a secret that is too long": ("here", [{"secret": "x" * 65}], ["secret", "64", "65"]),
    "a secret with a bell": ("here", [{"secret": "\u0007" * 16}], ["secret", "control"]),
    "an edit without an id": ("edit", [{"text": "a"}], ["id must be"]),
    "an edit without a text": ("edit", [{"id": 1}], ["text"]),
    "an edit of a post that is not there": ("edit", [{"id": 1, "text": "a"}], ["no such post"]),
    "a key that is an object": ("delete", [{"id": 1, "key": {}}], ["key", "an object"]),
    "a deletion of everything": ("delete", [{"id": "*"}], ["id must be"]),
    "a deletion of nothing": ("delete", [], ["id must be"]),
    "a reaction in words": ("react", [{"id": 1, "reaction": "fine"}], ["one of", "👍"]),
    "a reaction that is an array": ("react", [{"id": 1, "reaction": ["👍"]}], ["one of"]),
    "a reaction that is neither on nor off": ("react", [{"id": 1, "reaction": "👍", "on": 1}], ["true or false"]),
    "a person that is a number": ("send_away", [{"person": 5}], ["person must be"]),
    "a person that is empty": ("send_away", [{"person": ""}], ["person must be"]),
    "typing that is a text": ("typing", ["x"], ["object"]),
}


@pytest.mark.parametrize("what", WRONG)
async def test_it_says_in_words_what_is_wrong_with(what: str) -> None:
    event, args, words = WRONG[what]
    async with serve(application := board_at()) as server:
        ann = await come(server)
        answer = await ann.ask(event, *args)
        assert answer.keys() == {"error"}
        assert all(word in answer["error"] for word in words), answer
        assert len(answer["error"]) < 200
        assert "id" in await ann.ask("post", {"text": "still here"})
        assert await history_of(ann) == ["still here"]
    await close(application)


async def test_binary_is_no_text() -> None:
    async with serve(application := board_at()) as server:
        ann = await come(server)
        await ann.client.send('451-9["post",{"text":{"_placeholder":true,"num":0}}]', b"hello")
        await ann.hears("private")
        assert await ann.client.next() == '439[{"error":"The text of a post must be a text, not binary"}]'
    await close(application)


# -- history


async def test_the_newest_hundred_come_first_and_older_ones_before_an_id(tmp_path: Path) -> None:
    history = History(str(tmp_path / "board.sqlite3"))
    for number in range(PAGE + 3):
        await history.add(str(number), "Ann")
    async with serve(application := board.make_app(history=history)) as server:
        ann = await come(server)
        newest = await ann.ask("history")
        assert [post["text"] for post in newest["posts"]] == [str(number) for number in range(3, PAGE + 3)]
        assert newest["more"] is True
        older = await ann.ask("history", {"before": newest["posts"][0]["id"]})
        assert [post["text"] for post in older["posts"]] == ["0", "1", "2"]
        assert older["more"] is False
        around = await ann.ask("history", {"around": older["posts"][-1]["id"]})
        assert [post["text"] for post in around["posts"]] == [str(number) for number in range(53)]
        assert (around["more"], around["later"]) == (False, True)
        after = await ann.ask("history", {"after": around["posts"][-1]["id"]})
        assert [post["text"] for post in after["posts"]] == [str(number) for number in range(53, PAGE + 3)]
        assert after["later"] is False
    await close(application)


async def test_without_a_database_posts_are_passed_on_and_people_are_told(tmp_path: Path) -> None:
    file = tmp_path / "board.sqlite3"
    application = board_at(file)
    await application.settings["history"].open()
    lock = sqlite3.connect(file)
    lock.execute("BEGIN IMMEDIATE")
    async with serve(application, expect="no history") as server:
        ann, bob = await come(server), await come(server)
        assert (await bob.ask("here"))["trouble"] == ""
        posted = await ann.ask("post", {"text": "hello"})
        assert (await bob.hears("post"))["id"] == posted["id"]
        while not (told := await bob.hears("here"))["trouble"]:
            pass
        assert told["trouble"] == application.settings["history"].trouble == "database is locked"
        assert (await ann.ask("here"))["trouble"] == told["trouble"]
        assert await history_of(ann) == ["hello"]
        assert "database is locked" in (await ann.ask("history", {"before": posted["id"]}))["error"]
    lock.rollback()
    lock.close()
    await close(application)


async def test_two_boards_in_one_process_never_mix() -> None:
    async with serve(one := board_at()) as here, serve(other := board_at()) as there:
        ann, bob = await come(here), await come(there)
        await ann.ask("here", {"name": "Ann"})
        await ann.ask("post", {"text": "hello"})
        assert await history_of(bob) == []
        assert names(await bob.ask("here")) == [""]
    await close(one)
    await close(other)


async def test_the_board_needs_no_application(io_loop: Any) -> None:  # noqa: F811
    hub = Hub({"/": BoardHandler})
    ann = await connect(hub)
    id_ = (await ann.call("post", {"text": "hello"}))["id"]
    assert [post["id"] for post in (await ann.call("history"))["posts"]] == [id_]
    await hub.settings["board"].history.close()


# -- changes

SECRET, OTHER = "a" * 16, "b" * 16


async def test_an_own_post_is_edited_and_deleted_for_all_and_nobody_elses(tmp_path: Path) -> None:
    history = History(str(tmp_path / "board.sqlite3"))
    async with serve(application := board.make_app(history=history, moderators=None)) as server:
        ann, tab, bob = [await come(server) for _ in range(3)]
        for person, secret in ((ann, SECRET), (tab, SECRET), (bob, OTHER)):
            await person.ask("here", {"secret": secret})
        id_ = (await ann.ask("post", {"text": "hello", "key": "k1"}))["id"]
        for event in ("edit", "delete"):
            refused = await bob.ask(event, {"id": id_, "text": "mine", "key": "k2"})
            assert refused == {"error": "This post is not yours: only who wrote it can change it"}
        assert await tab.ask("edit", {"id": id_, "text": " good bye "}) == {"id": id_}
        change = await bob.hears("change")
        assert (change["id"], change["text"], change["revision"]) == (id_, "good bye", 1)
        assert change["edited"] >= change["at"]
        assert (await bob.ask("history"))["posts"] == [change]
        assert await bob.ask("edit", {"id": id_, "text": "by key", "key": "k1"}) == {"id": id_}
        assert await ann.ask("post", {"text": "hello", "key": "k1"}) == {"id": id_}
        await bob.hears("change")
        assert await ann.ask("delete", {"id": id_}) == {"id": id_}
        assert await bob.hears("change") == {"id": id_, "revision": 3, "gone": True}
    await close(application)
    async with serve(application := board_at(tmp_path / "board.sqlite3")) as server:
        ann = await come(server)
        assert await ann.ask("history") == {"posts": [], "more": False}
        assert "no such post" in (await ann.ask("edit", {"id": id_, "text": "again", "key": "k1"}))["error"]
        assert await ann.ask("post", {"text": "hello", "key": "k1"}) == {"id": id_}
        assert await history_of(ann) == []
    await close(application)


async def test_reactions_are_counted_once_for_each_person() -> None:
    async with serve(application := board_at()) as server:
        people = [await come(server) for _ in range(3)]
        for person, secret in zip(people, (SECRET, SECRET, OTHER), strict=True):
            await person.ask("here", {"secret": secret})
        id_ = (await people[0].ask("post", {"text": "hello"}))["id"]
        for person in people:
            await person.ask("react", {"id": id_, "reaction": "👍"})
        await people[2].ask("react", {"id": id_, "reaction": "🎉"})
        (post,) = (await people[0].ask("history"))["posts"]
        assert (post["reactions"], post["mine"]) == ({"👍": 2, "🎉": 1}, ["👍"])
        await people[0].ask("react", {"id": id_, "reaction": "👍", "on": False})
        (post,) = (await people[2].ask("history"))["posts"]
        assert (post["reactions"], post["mine"]) == ({"👍": 1, "🎉": 1}, ["👍", "🎉"])
        while (await people[1].hears("change"))["reactions"] != {"👍": 1, "🎉": 1}:
            pass
    await close(application)


async def test_a_changed_post_is_sent_at_once_and_then_once_a_tick() -> None:
    sent: list[Post] = []
    changes = Changes(sent.append, tick=0.05)
    for revision in range(1, 101):
        for id_ in (1, 2):
            changes.add(Post(id_, "hello", "", 0, revision=revision))
    assert [(post.id, post.revision) for post in sent] == [(1, 1), (2, 1)]
    changes.add(Post(1, "of another node, late", "", 0, revision=50))
    while len(sent) < 4:
        await asyncio.sleep(0.01)
    assert [(post.id, post.revision) for post in sent[2:]] == [(1, 100), (2, 100)]
    await asyncio.sleep(0.12)
    assert len(sent) == 4
    changes.add(Post(1, "hello", "", 0, revision=101))
    assert len(sent) == 5


async def test_twenty_changes_in_ten_seconds_are_the_limit() -> None:
    async with serve(application := board_at()) as server:
        ann = await come(server)
        id_ = (await ann.ask("post", {"text": "hello"}))["id"]
        answers = [await ann.ask("react", {"id": id_, "reaction": "👍"}) for _ in range(60)]
        assert answers[-1]["error"].startswith("The limit is 20 changes in 10 seconds")
        assert 0 < answers[-1]["wait"] <= 10
    await close(application)


# -- moderation


async def test_a_moderator_deletes_any_post_and_sends_a_person_away_for_good() -> None:
    async with serve(application := board_at()) as server:
        ann, tab, moderator = [await come(server) for _ in range(3)]
        for person in (ann, tab):
            you = (await person.ask("here", {"secret": SECRET}))["you"]
        assert (await moderator.ask("here"))["you"]["moderator"] is True
        id_ = (await ann.ask("post", {"text": "rude"}))["id"]
        assert await moderator.ask("delete", {"id": id_}) == {"id": id_}
        assert await history_of(moderator) == []
        assert await moderator.ask("send_away", {"person": you["id"]}) == {"clients": 2}
        await hears_names(moderator, "")
        assert await moderator.ask("send_away", {"person": you["id"]}) == {"clients": 0}
    await close(application)


async def test_nobody_else_is_a_moderator() -> None:
    application = board.make_app(history=History(), moderators=Addresses(["192.0.2.1"]))
    async with serve(application) as server:
        ann, bob = await come(server), await come(server)
        you = (await ann.ask("here"))["you"]
        assert you["moderator"] is False
        id_ = (await ann.ask("post", {"text": "hello"}))["id"]
        assert "not yours" in (await bob.ask("delete", {"id": id_}))["error"]
        assert "--admin-addresses" in (await bob.ask("send_away", {"person": you["id"]}))["error"]
        assert await history_of(ann) == ["hello"]
    await close(application)


# -- people


async def hears_names(person: Person, *expected: str) -> None:
    """Wait until a client hears that exactly these are online."""
    while names(await person.hears("here")) != list(expected):
        pass


async def test_who_is_here_is_told_to_those_who_are_here() -> None:
    async with serve(application := board_at()) as server:
        ann = await come(server)
        answer = await ann.ask("here", {"name": " Ann "})
        you = answer.pop("you")
        assert you.pop("moderator") is True
        assert answer == {"online": 1, "people": [you], "more": 0, "trouble": ""}
        assert you["name"] == "Ann"
        bob = await come(server, "polling")
        assert names(await bob.ask("here", {"name": "Bob"})) == ["Ann", "Bob"]
        await hears_names(ann, "Ann", "Bob")
        await bob.ask("here", {"name": ""})
        await hears_names(ann, "Ann", "")
        await bob.client.send("41")
        await hears_names(ann, "Ann")
    await close(application)


async def test_a_client_that_was_answered_in_between_hears_when_all_is_again_as_it_was_told_last() -> None:
    async with serve(application := board_at()) as server:
        ann = await come(server)
        await ann.ask("here")
        bob = await come(server)
        await ann.ask("here", {"name": "Ann"})
        assert names(await bob.ask("here")) == ["Ann", ""]
        await ann.client.send("41")
        await hears_names(bob, "")
    await close(application)


async def test_of_many_people_fifty_are_told_by_name_and_the_others_are_counted() -> None:
    async with serve(application := board_at()) as server:
        people = [await come(server) for _ in range(60)]
        for number, person in enumerate(people[:59]):
            answer = await person.ask("here", {"name": f"Person {number:02}"})
        assert names(answer) == [f"Person {number:02}" for number in range(50)]
        assert (answer["online"], answer["more"]) == (60, 10)
    await close(application)


SECRETS = [str(number) * 16 for number in range(4)]


async def test_two_clients_of_one_secret_are_one_person_and_the_news_counts_both() -> None:
    async with serve(application := board_at()) as server:
        tabs = [await come(server) for _ in range(2)]
        for tab in tabs:
            answer = await tab.ask("here", {"name": "Ann", "secret": SECRETS[0]})
        assert names(answer) == ["Ann"]
        assert (await tabs[1].hears("news"))["count"] == 2
        await tabs[0].client.send("41")
        assert names(await tabs[1].ask("here", {"name": "Ann", "secret": SECRETS[0]})) == ["Ann"]
    await close(application)


@pytest.mark.parametrize("secrets", [SECRETS, [None] * 4], ids=["secret", "none"])
async def test_each_person_of_one_name_gets_a_number_behind_it(secrets: list[str | None]) -> None:
    async with serve(application := board_at()) as server:
        people = [await come(server) for _ in range(4)]
        for person, name, secret in zip(people, ("Ann", "ann", "\uff21nn", "Ann"), secrets, strict=True):
            answer = await person.ask("here", {"name": name, **({"secret": secret} if secret else {})})
        assert names(answer) == ["Ann", "ann 2", "\uff21nn 3", "Ann 4"]
        await people[1].ask("post", {"text": "hello"})
        await people[2].ask("post", {"text": "hello", "name": "Ann"})
        assert (await people[0].hears("post"))["name"] == "ann 2"
        assert (await people[0].hears("post"))["name"] == "\uff21nn 3"
    await close(application)


async def test_a_name_is_kept_by_its_secret_while_its_person_is_away_also_over_a_restart(tmp_path: Path) -> None:
    for known in (False, True):
        async with serve(application := board_at(tmp_path / "board.sqlite3")) as server:
            if not known:
                ann = await come(server)
                await ann.ask("here", {"name": "Ann", "secret": SECRETS[0]})
                await ann.client.send("41")
            other, ann, stranger = [await come(server) for _ in range(3)]
            assert (await other.ask("here", {"name": "Ann", "secret": SECRETS[1]}))["you"]["name"] == "Ann 2"
            assert (await stranger.ask("here", {"name": "Ann"}))["you"]["name"] == "Ann 3"
            assert (await ann.ask("here", {"name": "Ann", "secret": SECRETS[0]}))["you"]["name"] == "Ann"
        await close(application)


async def test_a_name_that_its_person_gives_up_is_free() -> None:
    async with serve(application := board_at()) as server:
        ann, other = await come(server), await come(server)
        for name in ("Ann", "Anna"):
            await ann.ask("here", {"name": name, "secret": SECRETS[0]})
        assert (await other.ask("here", {"name": "Ann", "secret": SECRETS[1]}))["you"]["name"] == "Ann"
        refused = [await ann.ask("here", {"name": str(n), "secret": SECRETS[0]}) for n in range(30)][-1]
        assert refused["error"].startswith("The limit is 10 names in 10 seconds")
    await close(application)


async def test_a_post_says_which_person_wrote_it_also_without_a_name() -> None:
    async with serve(application := board_at()) as server:
        one, other = await come(server), await come(server)
        you = [(await person.ask("here"))["you"]["id"] for person in (one, other)]
        for person in (one, other):
            await person.ask("post", {"text": "hello"})
        assert [post["person"] for post in (await one.ask("history"))["posts"]] == you
        assert you[0] != you[1]
    await close(application)


class Slow(BoardHandler):
    """A board whose posts take until they are let through."""

    async def on_post(self, *args: Any) -> dict[str, Any]:
        await self.settings["gate"].wait()
        return await super().on_post(*args)


async def test_who_leaves_in_the_middle_of_a_post_is_neither_counted_nor_named(io_loop: Any) -> None:  # noqa: F811
    hub = Hub({"/": Slow})
    hub.settings["gate"] = asyncio.Event()
    ann, bob = await connect(hub), await connect(hub)
    await ann.call("here", {"name": "Ann"})
    ann.emit("post", {"text": "hello"})
    ann.drop()
    assert names(await bob.call("here", {"name": "Bob"})) == ["Bob"]
    hub.settings["gate"].set()
    await bob.receive("post")
    await hub.settings["board"].history.close()


@pytest.mark.parametrize("grace", [0, 30])
async def test_over_absence_and_restart_as_many_are_named_as_are_counted(io_loop: Any, grace: float) -> None:  # noqa: F811
    hub = Hub({"/": BoardHandler}, presence_grace=grace)
    ann, bob = [await connect(hub, recovery=True) for _ in range(2)]
    await ann.call("here", {"name": "Ann"})
    everyone, alone = ["Ann", "Bob"], ["Bob"]
    assert names(await bob.call("here", {"name": "Bob"})) == everyone
    ann.drop()
    assert names(await bob.call("here", {"name": "Bob"})) == (everyone if grace else alone)
    await ann.connect()
    assert names(await bob.call("here", {"name": "Bob"})) == everyone
    await hub.settings["board"].history.close()
    hub.close()
    following = Hub({"/": BoardHandler}, presence_grace=grace)
    following.start(Clock(following))
    following.restore(hub.snapshot(1000), 1001)
    bob._hub = following
    await bob.connect()
    assert (ann.recovered, bob.recovered) == (True, True)
    assert names(await bob.call("here", {"name": "Bob"})) == (everyone if grace else alone)
    await following.settings["board"].history.close()


async def test_who_is_here_is_told_seldom_and_in_the_end_as_it_is() -> None:
    said: list[int] = []
    digest = ThrottledState(said.append, every=0.05)
    for state in range(1000):
        digest.changed(partial(int, state))
        if state % 100 == 0:
            await asyncio.sleep(0)
    while said[-1] != 999:
        await asyncio.sleep(0.01)
    digest.changed(partial(int, 999))
    digest.changed(partial(int, 999))
    await asyncio.sleep(0.1)
    assert said.count(999) == 1
    assert len(said) < 100


async def test_others_hear_who_is_typing() -> None:
    async with serve(application := board_at()) as server:
        ann, bob, plain = await come(server), await come(server), await come(server)
        await ann.ask("here", {"name": "Ann"})
        await bob.ask("here")
        for _ in range(3):
            assert await ann.ask("typing", {}) == {}
        told = await bob.hears("typing")
        assert told == {"id": told["id"], "name": "Ann"}
        for person in (ann, bob, plain):
            await person.ask("here")
            assert [event for event, _ in person.heard if event == "typing"] == []
    await close(application)
