from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.chat.providers.sse import LONGEST, Decoder, TooLong


def decoded(*pieces: bytes) -> list[str]:
    decoder = Decoder()
    return [event for piece in pieces for event in decoder.feed(piece)]


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: one\n\ndata: two\n\n", ["one", "two"]),
        (b"data: one\r\n\r\ndata:two\r\n\r\n", ["one", "two"]),
        (b"data: one\r\rdata: two\r\r.", ["one", "two"]),
        (b": a comment\n\nevent: ping\nid: 7\ndata: one\nretry: 5\n\n", ["one"]),
        (b"data: first line\ndata: second line\n\n", ["first line\nsecond line"]),
        (b"data\n\n", [""]),
        (b"\n\n\n", []),
        (b"data: never finished\n", []),
        (b"data: \xff\xfe\n\n", ["��"]),
    ],
)
def test_a_stream_is_its_events(stream: bytes, events: list[str]) -> None:
    assert decoded(stream) == events


@given(
    texts=st.lists(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"])), max_size=6),
    ending=st.sampled_from([b"\n", b"\r\n", b"\r"]),
    cuts=st.lists(st.integers(0, 200), max_size=12),
)
def test_events_do_not_depend_on_where_the_stream_was_cut(texts: list[str], ending: bytes, cuts: list[int]) -> None:
    stream = b"".join(b"data: " + text.encode() + ending + ending for text in texts) + b": end\n"
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    pieces = [stream[start:end] for start, end in pairwise(places)]
    assert decoded(*pieces) == texts


@pytest.mark.parametrize("piece", [b"x" * 10_000, b"data: " + b"x" * 10_000 + b"\n"])
def test_an_event_without_an_end_is_not_collected_for_ever(piece: bytes) -> None:
    with pytest.raises(TooLong):
        decoded(*[piece] * (LONGEST // 10_000 + 1))
