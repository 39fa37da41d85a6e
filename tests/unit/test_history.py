"""Posts are kept once each; a broken database stops no client."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from handlers.board import archive
from handlers.board.history import PAGE, RETRY, History, PostStore, Unavailable
from handlers.board.post import MAX_REACTIONS, Post
from handlers.board.schema import MIGRATIONS, NewerDatabase
from handlers.board.validation import InvalidInput

pytestmark = pytest.mark.gen_test


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "board.sqlite3"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "LOCK_TIMEOUT", 0)


def add(ledger: PostStore, text: str, key: str | None = None) -> int:
    return ledger.add(text, "", key)[0].id


def texts(ledger: PostStore, before: int | None = None) -> list[str]:
    return [post.text for post in ledger.page(before).posts]


def number_kept(file: Path) -> int:
    with sqlite3.connect(file) as database:
        ((count,),) = database.execute("SELECT count(*) FROM posts")
    database.close()
    return int(count)


# -- while all is well


def test_a_post_survives_a_restart(file: Path) -> None:
    first = PostStore(str(file), 10)
    post, is_new = first.add("hello\nyou", "Ann", None)
    first.close()
    second = PostStore(str(file), 10)
    assert is_new
    assert second.page(None)[:2] == ([post], False)
    assert (post.text, post.name) == ("hello\nyou", "Ann")
    second.close()


def test_a_post_survives_a_death_without_a_word(file: Path) -> None:
    dying, heir = PostStore(str(file), 10), PostStore(str(file), 10)
    add(dying, "hello")
    assert texts(heir) == ["hello"]
    dying.close()
    heir.close()


def test_what_is_sent_again_under_its_key_is_kept_once_and_has_the_same_id_also_after_a_restart(file: Path) -> None:
    first = PostStore(str(file), 10)
    id_ = add(first, "hello", "k1")
    assert first.add("hello", "", "k1")[1] is False
    first.close()
    second = PostStore(str(file), 10)
    post, is_new = second.add("hello", "", "k1")
    assert (post.id, is_new, number_kept(file)) == (id_, False, 1)
    second.close()


def test_the_table_itself_takes_a_key_once(file: Path) -> None:
    ledger = PostStore(str(file), 10)
    add(ledger, "hello", "k1")
    ledger.close()
    with sqlite3.connect(file) as database, pytest.raises(sqlite3.IntegrityError):
        database.execute("INSERT INTO posts (id, text, name, at, key) VALUES (1, 'again', '', 0, 'k1')")
    database.close()


def test_posts_without_a_key_are_all_different() -> None:
    ledger = PostStore(":memory:", 10)
    assert len({add(ledger, "hello") for _ in range(5)}) == 5
    assert texts(ledger) == ["hello"] * 5


def test_ids_rise_though_the_clock_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = PostStore(":memory:", 10)
    ids = [add(ledger, "one"), add(ledger, "two")]
    monkeypatch.setattr("time.time", lambda: 1.0)
    ids.append(add(ledger, "three"))
    assert ids == sorted(set(ids))


def test_ids_rise_beyond_those_of_another_that_writes_into_the_same_file(file: Path) -> None:
    one, other = PostStore(str(file), 10), PostStore(str(file), 10)
    ids = [add(ledger, "hello") for ledger in (one, other) * 3]
    assert ids == sorted(set(ids))
    assert not one.trouble + other.trouble
    one.close()
    other.close()


@pytest.mark.parametrize("keep", [1, 3])
def test_no_more_is_kept_than_is_asked_for(file: Path, keep: int) -> None:
    ledger = PostStore(str(file), 10)
    for number in range(7):
        add(ledger, str(number))
    ledger.close()
    ledger = PostStore(str(file), keep)
    assert texts(ledger) == [str(number) for number in range(7 - keep, 7)]
    add(ledger, "7")
    assert texts(ledger) == [str(number) for number in range(8 - keep, 8)]
    assert number_kept(file) == keep
    ledger.close()


def test_older_posts_come_page_by_page() -> None:
    ledger = PostStore(":memory:", 10_000)
    for number in range(2 * PAGE + 5):
        add(ledger, str(number))
    newest = ledger.page(None)
    older = ledger.page(newest.posts[0].id)
    oldest = ledger.page(older.posts[0].id)
    assert [len(page.posts) for page in (newest, older, oldest)] == [PAGE, PAGE, 5]
    assert [page.more for page in (newest, older, oldest)] == [True, True, False]
    assert [post.text for page in (oldest, older, newest) for post in page.posts] == [
        str(number) for number in range(2 * PAGE + 5)
    ]
    assert ledger.page(oldest.posts[0].id)[:2] == ([], False)


def test_posts_after_and_around_an_id_are_found() -> None:
    ledger = PostStore(":memory:", 10_000)
    ids = [add(ledger, str(number)) for number in range(2 * PAGE)]
    around = ledger.page(around=ids[PAGE])
    assert [post.id for post in around.posts] == ids[PAGE // 2 + 1 : PAGE + PAGE // 2 + 1]
    assert (around.more, around.later) == (True, True)
    after = ledger.page(after=around.posts[-1].id)
    assert [post.id for post in after.posts] == ids[PAGE + PAGE // 2 + 1 :]
    assert (after.more, after.later) == (True, False)
    assert ledger.page(after=ids[-1]) == ([], True, False)
    first = ledger.page(around=ids[0])
    assert ([post.id for post in first.posts], first.more) == (ids[: PAGE // 2 + 1], False)
    assert ledger.page(around=0).posts == ledger.page(after=0).posts[: PAGE // 2]


async def test_writing_does_not_stop_the_loop(file: Path) -> None:
    history = History(str(file))
    await history.open()
    lock = sqlite3.connect(file)
    lock.execute("BEGIN IMMEDIATE")
    adding = asyncio.ensure_future(history.add("hello", ""))
    threads = {thread.name for thread in threading.enumerate()}
    assert not adding.done()
    lock.rollback()
    lock.close()
    assert (await adding)[1]
    assert any(name.startswith("history") for name in threads)
    await history.close()


# -- changes


def test_a_change_survives_a_restart_and_is_seen_by_other_processes(file: Path) -> None:
    one, other = PostStore(str(file), 10), PostStore(str(file), 10)
    ids = [add(one, text) for text in ("a", "b", "c")]
    assert texts(other) == ["a", "b", "c"]
    changed = one.change(ids[1], lambda post: post.with_text("B"))
    assert changed is not None
    assert other.change(ids[1], lambda post: post.with_reaction("👍", "bob", True)) == changed._replace(
        revision=2, reactions={"👍": ["bob"]}
    )
    assert one.change(ids[0], Post.deleted) is not None
    assert one.change(ids[0], Post.deleted) is None
    assert texts(one) == texts(other) == ["B", "c"]
    assert one.page(ids[1])[:2] == ([], False)
    one.close()
    again = PostStore(str(file), 10)
    assert again.page(None).posts == other.page(None).posts
    assert again.page(None).posts[0].public("bob")["mine"] == ["👍"]
    other.close()
    again.close()


def test_a_change_that_is_refused_or_changes_nothing_leaves_no_trace(file: Path) -> None:
    ledger = PostStore(str(file), 10)
    id_ = add(ledger, "hello")

    def refuse(post: Post) -> Post:
        raise InvalidInput("not yours")

    with pytest.raises(InvalidInput):
        ledger.change(id_, refuse)
    assert ledger.change(id_, lambda post: post) == ledger.page(None).posts[0]
    assert ledger.page(None).posts[0].revision == 0
    assert add(ledger, "the next") > id_
    ledger.close()


def test_where_a_post_was_deleted_an_older_one_moves_up() -> None:
    ledger = PostStore(":memory:", 10_000)
    ids = [add(ledger, str(number)) for number in range(PAGE + 1)]
    ledger.change(ids[-1], Post.deleted)
    assert ledger.page(None).posts[0].id == ids[0]
    assert ledger.page(None).more is False


def test_a_reaction_has_a_limit() -> None:
    post = Post(1, "hello", "", 0, reactions={"👍": [str(number) for number in range(MAX_REACTIONS)]})
    assert post.with_reaction("👍", "5", True).public()["reactions"] == {"👍": MAX_REACTIONS}
    assert post.with_reaction("👍", "5", False).public()["reactions"] == {"👍": MAX_REACTIONS - 1}
    with pytest.raises(InvalidInput, match="keeps 1,000 of one reaction"):
        post.with_reaction("👍", "bob", True)


# -- versions of the tables


OLD = (
    "CREATE TABLE posts"
    " (id INTEGER PRIMARY KEY, text TEXT NOT NULL, name TEXT NOT NULL, at INTEGER NOT NULL, key TEXT UNIQUE)"
)


def test_a_file_of_the_first_servers_is_read_and_they_can_write_it_still(file: Path) -> None:
    database = sqlite3.connect(file, isolation_level=None)
    database.execute(OLD)
    database.execute("INSERT INTO posts VALUES (1, 'old', 'Ann', 5, 'k')")
    ledger = PostStore(str(file), 10)
    assert ledger.page(None).posts == [Post(1, "old", "Ann", 5, "k")]
    assert ledger.name_for("p", "Ann", [], keep=True) == "Ann"
    database.execute("INSERT INTO posts (id, text, name, at, key) VALUES (2, 'by an old server', '', 6, NULL)")
    assert texts(ledger) == ["old", "by an old server"]
    assert database.execute("PRAGMA user_version").fetchall() == [(len(MIGRATIONS),)]
    database.close()
    ledger.close()


async def test_a_file_of_a_newer_server_is_refused_and_not_changed(file: Path) -> None:
    PostStore(str(file), 10).open()
    database = sqlite3.connect(file, isolation_level=None)
    database.execute("PRAGMA user_version = 1000")
    with pytest.raises(NewerDatabase, match="has version 1000, and this server knows versions up to"):
        await History(str(file)).open()
    ledger = PostStore(str(file), 10)
    add(ledger, "not saved")
    assert "version 1000" in ledger.trouble
    assert number_kept(file) == 0
    assert database.execute("PRAGMA user_version").fetchall() == [(1000,)]
    database.close()


# -- names


def test_names_are_kept_by_their_person_and_numbered_for_others(file: Path) -> None:
    one, other = PostStore(str(file), 10), PostStore(str(file), 10)
    assert one.name_for("ann", "Ann", [], keep=True) == "Ann"
    assert other.name_for("bob", "ann", [], keep=True) == "ann 2"
    assert one.name_for("cid", "Ann", ["ann 3"], keep=False) == "Ann 4"
    assert one.name_for("bob", "", [], keep=True) == ""
    assert other.name_for("cid", "ANN", ["ann"], keep=True) == "ANN 2"
    assert other.name_for("ann", "Ann", ["ann"], keep=True) == "Ann"
    long = "x" * 32
    assert [one.name_for(str(n), long, [], keep=True) for n in range(2)] == [long, "x" * 30 + " 2"]
    one.close()
    other.close()


def test_a_name_that_was_not_used_for_long_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = PostStore(":memory:", 10)
    ledger.name_for("ann", "Ann", [], keep=True)
    monkeypatch.setattr("time.time", lambda: 2**40)
    assert ledger.name_for("bob", "Ann", [], keep=True) == "Ann"


@pytest.mark.usefixtures("impatient")
def test_without_a_database_names_are_numbered_by_those_who_are_online(file: Path) -> None:
    file.write_text("A letter to somebody.\n" * 100)
    ledger = PostStore(str(file), 10)
    assert [ledger.name_for("ann", "Ann", taken, keep=True) for taken in ([], ["ann"])] == ["Ann", "Ann 2"]


# -- in trouble


def locked(file: Path) -> Iterator[None]:
    lock = sqlite3.connect(file)
    lock.execute("BEGIN IMMEDIATE")
    yield
    lock.rollback()
    lock.close()


def is_read_only(file: Path) -> Iterator[None]:
    user = os.geteuid()
    for path in (file, *file.parent.glob("board.sqlite3-*")):
        path.chmod(0o444)
    file.parent.chmod(0o555)
    if user == 0:
        os.seteuid(65534)
    yield
    os.seteuid(user)
    file.parent.chmod(0o755)
    file.chmod(0o644)


def is_damaged(file: Path) -> Iterator[None]:
    whole = file.read_bytes()
    file.write_bytes(b"This is no database. " * 1000)
    yield
    file.write_bytes(whole)


def has_a_damaged_page(file: Path) -> Iterator[None]:
    whole = file.read_bytes()
    file.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    yield
    file.write_bytes(whole)


def is_a_directory(file: Path) -> Iterator[None]:
    file.rename(file.with_suffix(".away"))
    file.mkdir()
    yield
    file.rmdir()
    file.with_suffix(".away").rename(file)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("what", "words"),
    [
        (locked, "locked"),
        (is_read_only, "readonly"),
        (is_damaged, "not a database"),
        (has_a_damaged_page, "damaged|malformed"),
        (is_a_directory, "unable to open"),
    ],
)
def test_the_board_goes_on_without_a_database_and_comes_back_to_it(
    caplog: pytest.LogCaptureFixture, clock: Clock, what: Any, words: str
) -> None:
    with tempfile.TemporaryDirectory() as directory:  # not below tmp_path, which is its owner's alone
        Path(directory).chmod(0o755)
        file = Path(directory) / "board.sqlite3"
        before = PostStore(str(file), 100)
        add(before, "before")
        before.close()
        ledger = PostStore(str(file), 100, clock)
        for _ in what(file):
            ids = [add(ledger, "meanwhile", "k1"), add(ledger, "meanwhile", "k1"), add(ledger, "still")]
            assert ids == sorted(ids)
            assert len(set(ids)) == 2
            assert texts(ledger) == ["meanwhile", "still"]
            with pytest.raises(Unavailable, match=words):
                ledger.page(ids[0])
            clock.now += RETRY
            add(ledger, "again in vain")
        (record,) = caplog.records
        assert "no history" in record.message
        assert str(file) in record.message
        assert "--database" in record.message
        assert ledger.trouble in record.message
        assert texts(ledger) == ["meanwhile", "still", "again in vain"]
        clock.now += RETRY
        assert texts(ledger) == ["before", "meanwhile", "still", "again in vain"]
        assert ledger.trouble == ""
        assert add(ledger, "meanwhile", "k1") == ids[0]
        ledger.close()
        after = PostStore(str(file), 100)
        assert texts(after) == ["before", "meanwhile", "still", "again in vain"]
        after.close()


def test_a_disk_that_fills_up_is_said_and_stops_nobody(
    file: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    connect, pages = sqlite3.connect, 8

    def on_a_small_disk(*args: Any, **options: Any) -> sqlite3.Connection:
        database = connect(*args, **options)
        database.execute(f"PRAGMA max_page_count = {pages}")
        return database

    monkeypatch.setattr(archive.sqlite3, "connect", on_a_small_disk)
    ledger = PostStore(str(file), 1000, clock)
    while not ledger.trouble:
        add(ledger, "x" * 1000)
    assert "full" in ledger.trouble
    add(ledger, "the last")
    assert texts(ledger)[-1] == "the last"
    pages = 1000
    clock.now += RETRY
    assert texts(ledger)[-1] == "the last"
    assert ledger.trouble == ""
    assert len(caplog.records) == 1
    ledger.close()


@pytest.mark.usefixtures("impatient")
def test_a_file_that_is_no_database_is_left_as_it_is(file: Path) -> None:
    file.write_text("A letter to somebody.\n" * 100)
    ledger = PostStore(str(file), 100)
    add(ledger, "hello")
    ledger.close()
    assert file.read_text() == "A letter to somebody.\n" * 100


def test_what_is_added_after_the_end_is_not_kept(file: Path) -> None:
    ledger = PostStore(str(file), 100)
    add(ledger, "before")
    ledger.close()
    add(ledger, "after")
    assert number_kept(file) == 1
