from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.chat.words import LONGEST, found, wanted, words


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("", []),
        ("?! … — 🙂", []),
        ("Don't panic, 42 times", ["don", "t", "panic", "42", "times"]),
        ("Crème brûlée à la CARTE", ["creme", "brulee", "a", "la", "carte"]),
        ("Straße STRASSE", ["strasse", "strasse"]),
        ("ﬁnd Ⅷ ①", ["find", "viii", "1"]),
        ("ΣΊΣΥΦΟΣ σίσυφος", ["σισυφοσ", "σισυφοσ"]),
        ("Ёлка елка", ["елка", "елка"]),
        ("İstanbul ISTANBUL", ["istanbul", "istanbul"]),
        ("שָׁלוֹם שלום", ["שלום", "שלום"]),
        ("مَرْحَبًا مرحبا", ["مرحبا", "مرحبا"]),
        ("मौसम हिंदी", ["मौसम", "हिंदी"]),
        ("dis\u00adclosed f\u200du\u2060n", ["disclosed", "fun"]),
        ("a\x00b \ud83d c", ["a", "b", "c"]),
        ("snake_case x-ray a.b@c.org", ["snake", "case", "x", "ray", "a", "b", "c", "org"]),
        ("天气预报", ["天气", "气预", "预报", "报"]),
        ("iPhone手机", ["iphone", "手机", "机"]),
        ("上", ["上"]),
        ("ｶﾞｿﾘﾝ", ["カソ", "ソリ", "リン", "ン"]),
        ("한국어", ["한국어"]),
        ("𞤀𞤁 𐐀", ["𞤢𞤣", "𐐨"]),
        ("☀️ 1️⃣", ["1"]),
    ],
)
def test_words_know_neither_case_nor_accents_nor_punctuation(text: str, kept: list[str]) -> None:
    assert words(text) == [unicodedata.normalize("NFKD", word) for word in kept]


def test_a_word_without_end_is_cut() -> None:
    assert words("x" * 5_000 + " y") == ["x" * LONGEST, "y"]
    assert wanted("X" * 5_000) == ["x" * LONGEST]


@pytest.mark.parametrize(
    ("text", "asked"), [("天气预报", ["天气", "气预", "预报"]), ("天", ["天"]), ("go 天气", ["go", "天气"])]
)
def test_a_question_asks_for_neighbours_without_the_lonely_last_character(text: str, asked: list[str]) -> None:
    assert wanted(text) == asked


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("Un été à Nîmes", ["Un", "été", "à", "Nîmes"]),
        ("e\u0301te\u0301!", ["e\u0301te\u0301"]),
        ("ﬁn 天气预", ["ﬁn", "天气", "气预", "预"]),
    ],
)
def test_a_word_knows_where_it_stands(text: str, marked: list[str]) -> None:
    assert [text[word.start : word.end] for word in found(text)] == marked


@given(st.text())
def test_whatever_is_written_words_are_letters_and_digits_that_say_the_same_again(text: str) -> None:
    for word in words(text):
        assert 0 < len(word) <= LONGEST
        assert all(unicodedata.category(character)[0] in "LNM" for character in word)
    assert set(wanted(text)) <= set(words(text))


@given(st.text(), st.text())
def test_a_text_holds_all_the_words_of_what_it_was_put_together_from(one: str, other: str) -> None:
    assert words(f"{one} {other}") == words(one) + words(other)


@given(st.text(st.characters(max_codepoint=127)))
def test_plain_letters_make_the_same_words_as_among_others(text: str) -> None:
    assert [*found(text), ("e", len(text) + 1, len(text) + 2, False)] == list(found(f"{text} é"))


@given(st.text())
def test_a_text_and_its_decomposed_form_have_the_same_words(text: str) -> None:
    assert words(unicodedata.normalize("NFD", text)) == words(text)
