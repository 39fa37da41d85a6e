"""The clients of a hub as a table, in pages.

Rows are sorted and filtered here, so that an open page costs a hub of 10,000 clients milliseconds for each look, and
its browser fifty rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from ... import Hub, Refused
from ..logs import printable

Client = Any
"""A client as a namespace has it, which is no public name."""
ROWS = 50
"""Rows of one page."""
LONGEST = 100
"""Characters of a name, or of what is looked for."""
FRESH = 1.0
"""Seconds for which rates count as measured."""
STALE = 30.0
"""Seconds after which counts are too old to make rates of."""


class Query(NamedTuple):
    """What a page asks for: `{sort, descending, offset, text}`."""

    sort: str = "seconds"
    descending: bool = True
    offset: int = 0
    text: str = ""


class Row(NamedTuple):
    """One client of one namespace."""

    namespace: str
    id: str
    address: str
    name: str
    """What it shows, or who it is, as far as that is known; "" if it is not."""
    transport: str
    """`polling`, `websocket`, or `away`."""
    seconds: float
    """Seconds since its connection was opened."""
    rooms: int
    backlog: int
    """About how many bytes wait for it."""
    events: float
    """Events that it sent a second, lately."""


def read_query(asked: Any) -> Query:
    """Return what was asked for; raise Refused for what is no query."""
    query = Query(**asked) if isinstance(asked, dict) and asked.keys() <= set(Query._fields) else None
    if query is None or query.sort not in Row._fields:
        raise Refused("A query is {sort, descending, offset, text}; sort is a column")
    kinds = zip(query, (str, bool, int, str), strict=True)
    if any(type(value) is not kind for value, kind in kinds) or query.offset < 0 or len(query.text) > LONGEST:
        raise Refused(f"offset must be 0 or greater, text have at most {LONGEST} characters, got {query!r:.200}")
    return query


def name_of(client: Client) -> str:
    """Return a client's name: that which it shows, or of its user."""
    for known in (client.shown, client.user):
        name = known.get("name") if isinstance(known, Mapping) else known
        if isinstance(name, str) and name:
            return printable(name[:LONGEST])
    return ""


class ClientTable:
    """The clients of a hub, but for one namespace."""

    def __init__(self, hub: Hub, hidden: str) -> None:
        self._hub = hub
        self._hidden = hidden
        self._counts: dict[str, int] = {}
        self._rates: dict[str, float] = {}
        self._measured = float("-inf")

    def forget(self) -> None:
        """Forget the clients of the last look: nobody looks any more."""
        self._counts, self._rates, self._measured = {}, {}, float("-inf")

    def page(self, query: Query, now: float) -> dict[str, Any]:
        """Return `{total, found, offset, rows}`.

        now: the loop's time, in seconds.
        """
        self._measure(now)
        clients = list(self._clients())
        found = list(filter(_finder(query.text), clients)) if query.text else clients
        columns = self._columns(now)
        key = _folded_name if query.sort == "name" else columns[query.sort]
        found.sort(key=key, reverse=query.descending)
        offset = min(query.offset, max(0, (len(found) - 1) // ROWS * ROWS))
        rows = [
            Row(**{field: _rounded(value(client)) for field, value in columns.items()})._asdict()
            for client in found[offset : offset + ROWS]
        ]
        return {"total": len(clients), "found": len(found), "offset": offset, "rows": rows}

    def find(self, namespace: str, id_: str) -> Client | None:
        """Return a client of the table; None if it has left."""
        shown = self._hub.namespaces.get(namespace) if namespace != self._hidden else None
        return shown.clients.get(id_) if shown else None

    def _clients(self) -> Iterator[Client]:
        for namespace in self._hub.namespaces.values():
            if namespace.name != self._hidden:
                yield from namespace.clients.values()

    def _measure(self, now: float) -> None:
        elapsed = now - self._measured
        if elapsed < FRESH:
            return
        counts = {client.id: client.events for client in self._clients()}
        before = self._counts if elapsed < STALE else counts
        self._rates = {id_: (count - before.get(id_, 0)) / elapsed for id_, count in counts.items()}
        self._counts, self._measured = counts, now

    def _columns(self, now: float) -> dict[str, Callable[[Client], Any]]:
        """Return what gives each field of a Row."""
        return {
            "namespace": lambda client: client.namespace.name,
            "id": lambda client: client.id,
            "address": lambda client: client.session.handshake.remote_ip,
            "name": name_of,
            "transport": _transport,
            "seconds": lambda client: now - client.session.opened_at,
            "rooms": lambda client: len(client.rooms),
            "backlog": lambda client: client.session.unread_bytes,
            "events": lambda client: self._rates.get(client.id, 0.0),
        }


def _folded_name(client: Client) -> str:
    return name_of(client).casefold()


def _rounded(value: Any) -> Any:
    return round(value, 1) if isinstance(value, float) else value


def _transport(client: Client) -> str:
    return client.session.transport.name if client.session.reason is None else "away"


def _finder(text: str) -> Callable[[Client], bool]:
    wanted = text.casefold()

    def finds(client: Client) -> bool:
        about = (client.session.handshake.remote_ip, name_of(client), _transport(client), client.namespace.name)
        return wanted in "\n".join((*about, client.id, *client.rooms)).casefold()

    return finds
