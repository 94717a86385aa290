"""Markdown becomes plain text and entities. In the expectations a stretch stands in brackets: bold[like this]."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.telegram.markdown import render
from service.telegram.text import Entity, Rich, units


def shown(markdown: str) -> str:
    """The text with its entities written into it."""
    rich = render(markdown)
    raw = rich.text.encode("utf-16-le")
    marks: list[tuple[int, int, str]] = []
    for entity in rich.entities:
        detail = entity.url or entity.language
        marks.append((entity.offset, 1, f"{entity.kind}{f'({detail})' if detail else ''}["))
        marks.append((entity.offset + entity.length, 0, "]"))
    text, last = "", 0
    for at, _, mark in sorted(marks, key=lambda mark: mark[:2]):
        text += raw[2 * last : 2 * at].decode("utf-16-le") + mark
        last = at
    return text + raw[2 * last :].decode("utf-16-le")


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("plain", "plain"),
        ("**b** *i* __b__ _i_ ~~s~~ `c`", "bold[b] italic[i] bold[b] italic[i] strikethrough[s] code[c]"),
        ("***both***", "bold[italic[both]]"),
        ("😀 **b**", "😀 bold[b]"),
        ("snake_case_name and 2 * 3 * 4", "snake_case_name and 2 * 3 * 4"),
        ("# Title *x*\nText", "bold[Title italic[x]]\n\nText"),
        ("one\ntwo  \nthree\n\n\nfour", "one\ntwo\nthree\n\nfour"),
        ("[text](https://example.org/a?b=1)", "text_link(https://example.org/a?b=1)[text]"),
        ("<https://example.org>", "text_link(https://example.org)[https://example.org]"),
        ("[there](/help.html)", "there (/help.html)"),
        ("[nowhere]()", "nowhere"),
        ("[bad](javascript:alert)", "[bad](javascript:alert)"),
        ("![A cat](https://e.org/c.png) ![](https://e.org/d.png)",
         "text_link(https://e.org/c.png)[A cat] text_link(https://e.org/d.png)[image]"),
        ("> one\n> > two\n\nafter", "blockquote[one\n\ntwo]\n\nafter"),
        ("before\n***\nafter", "before\n\n———\n\nafter"),
        ("```python\nif a:\n    b()\n```\nafter", "pre(python)[if a:\n    b()]\n\nafter"),
        ("    indented\n    code", "pre[indented\ncode]"),
        ("```\nnever closed **x**", "pre[never closed **x**]"),
        ("```\n```", "```\n```"),
        ("Vec<T> & <b>no html</b> &amp;", "Vec<T> & <b>no html</b> &"),
        (r"\*not bold\*", "*not bold*"),
        ("[a]: https://example.org", "[a]: https://example.org"),
        ("", ""),
    ],
)  # fmt: skip
def test_what_the_reader_sees(markdown: str, text: str) -> None:
    assert shown(markdown) == text


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("- one\n- **two**\n\nafter", "• one\n• bold[two]\n\nafter"),
        ("3. three\n4. four", "3. three\n4. four"),
        ("0. nought", "0. nought"),
        ("- a\n  - b\n    1. c\n  - d\n- e", "• a\n  • b\n    1. c\n  • d\n• e"),
        ("- a\n\n- b", "• a\n\n• b"),
        ("- \n- b", "• \n• b"),
        ("- a\n  ```\n  code\n  ```\n- b", "• a\npre[code]\n\n• b"),
    ],
)
def test_lists(markdown: str, text: str) -> None:
    assert shown(markdown) == text


def test_a_table_stands_in_columns() -> None:
    table = "| Berth | Free |\n|---|:-:|\n| 12 | **yes** |\n| 7 | |\n\nafter"
    assert shown(table) == "pre[Berth | Free\n------+-----\n12    | yes\n7     |]\n\nafter"


def test_an_entity_has_what_telegram_asks_of_its_kind() -> None:
    assert render("`a` **b**") == Rich("a b", (Entity("code", 0, 1), Entity("bold", 2, 1)))


_long = ["```", "https://e.org", "\n\n", "\n- ", "|-|-|", "    "]
_pieces = st.sampled_from([*"*_`~[]()>#-|!\\\n 1.:<&a😀", *_long])


@given(st.lists(_pieces, max_size=60).map("".join) | st.text(max_size=60))
def test_any_text_is_shown_and_each_entity_lies_within_it(markdown: str) -> None:
    text = markdown.encode("utf-8", "replace").decode()  # as what is stored
    rich = render(text)
    assert bool(rich.text.strip()) == bool(text.strip()) or not text.strip()
    for entity in rich.entities:
        assert 0 <= entity.offset < entity.offset + entity.length <= units(rich.text)
