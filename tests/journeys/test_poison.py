"""The encoder refuses to send what a decoder would refuse.

The caller gets the error.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inside import connect

from handlers.socketio import Hub, Refused, SocketIOHandler
from handlers.socketio.engineio.errors import ProtocolError
from handlers.socketio.message import Decoder, Kind, Message, encode

POISON: dict[str, tuple[list[Any], str]] = {
    "a placeholder beyond the last": (
        [{"_placeholder": True, "num": 7}, b"x"],
        r"^args\[0\] must not have '_placeholder': True",
    ),
    "a placeholder that fits": ([{"_placeholder": True, "num": 0}, b"x"], r"^args\[0\] must not have"),
    "one without a number": ([b"x", {"_placeholder": True}], r"^args\[1\] must not have"),
    "one deep inside": (
        [b"x", {"a": [1, {"b": {"_placeholder": True}}]}],
        r"^args\[1\]\['a'\]\[1\]\['b'\] must not have",
    ),
    "one beside the bytes": ([{"_placeholder": True, "data": b"x"}], r"^args\[0\] must not have"),
    "one in a tuple": ([b"x", ({"_placeholder": True},)], r"^args\[1\]\[0\] must not have"),
    "eleven attachments": ([[b"x"] * 11], r"^a message must have at most 10 values of bytes, got 11: join"),
    "eleven arguments": ([bytearray(b"x")] * 11, r"^a message must have at most 10 values of bytes, got 11"),
}
HARMLESS = [
    [{"_placeholder": True, "num": 7}],  # without attachments it stands for nothing
    [{"_placeholder": 1}, b"x"],
    [{"_placeholder": "true"}, b"x"],
    [{"placeholder": True}, b"x"],
    [[b"x"] * 10],
]


@pytest.mark.parametrize("kind", [Kind.EVENT, Kind.ACK])
@pytest.mark.parametrize("poison", POISON)
def test_poison_is_not_encoded(poison: str, kind: Kind) -> None:
    args, words = POISON[poison]
    with pytest.raises(ValueError, match=words):
        encode(Message(kind, "/", ["said", *args] if kind is Kind.EVENT else args, 1))


@pytest.mark.parametrize("args", HARMLESS)
def test_what_is_harmless_comes_back_as_it_was(args: list[Any]) -> None:
    decoder, message = Decoder(), None
    for part in encode(Message(Kind.EVENT, "/", ["said", *args])):
        message = decoder.add(part)
    assert message is not None
    assert message.data == ["said", *args]


def test_the_data_of_a_refusal_has_no_bytes() -> None:
    with pytest.raises(ValueError, match="the data of a CONNECT_ERROR must have no bytes"):
        encode(Message(Kind.CONNECT_ERROR, "/", {"message": "no", "data": b"x"}))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5) | st.binary(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["_placeholder", "num", "a"]), inner, max_size=3)
    ),
    max_leaves=20,
)


@given(st.lists(VALUES, max_size=4))
def test_whatever_is_encoded_is_decoded_to_the_same(args: list[Any]) -> None:
    try:
        parts = encode(Message(Kind.EVENT, "/", ["said", *args]))
    except ValueError:
        return
    decoder, message = Decoder(), None
    try:
        for part in parts:
            message = decoder.add(part)
    except ProtocolError as error:
        raise AssertionError(f"{args} was sent, and is refused: {error}") from error
    assert message is not None
    assert message.data == ["said", *args]


class PhotoHandler(SocketIOHandler):
    """Passes on what it is sent, beside bytes of its own."""

    def on_photo(self, caption: Any) -> None:
        self.broadcast("photo", caption, b"x")

    def on_keep(self, caption: Any) -> None:
        self.broadcast("photo", caption, b"x", keep=3)

    async def on_ask(self, caption: Any) -> None:
        await self.call("photo", caption, b"x")

    def on_back(self, caption: Any) -> Any:
        return caption, b"x"

    def on_refuse(self, caption: Any) -> None:
        raise Refused("No", [caption, b"x"])


@pytest.mark.gen_test
@pytest.mark.parametrize("way", ["photo", "keep", "ask", "back", "refuse"])
async def test_a_client_that_has_poison_passed_on_harms_nobody(way: str) -> None:
    hub = Hub({"/": PhotoHandler})
    ann, bob = [await connect(hub, recovery=True) for _ in range(2)]
    assert await ann.call(way, {"_placeholder": True, "num": 7}) == {"message": "Internal error"}
    hub.of("/").emit("still", "here")
    assert await bob.receive() == "here"
    assert (ann.closed, bob.closed) == (None, None)
    newcomer = await connect(hub)
    assert newcomer.received == []
