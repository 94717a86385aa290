from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.chat.search import index, newest
from service.chat.words import wanted, words
from service.database import bind, proxy
from service.models import Message
from service.url import DatabaseUrl
from tests.support.chat import begin, make_chatbot, say
from tests.support.searching import ids, write

CORPUS = (
    "The ferry leaves at 7:45 from pier B.",
    "Die Fähre fährt um 7 Uhr 45; bitte früh da sein, Straße gesperrt!",
    "Le traversier part à l'heure, café compris. L’été, ça va.",
    "El transbordador sale mañana por la mañana.",
    "Паром отходит в семь. Всё ещё ёлка.",
    "Το πλοίο φεύγει από τον Πειραιά — ΠΛΟΊΟ.",
    "渡轮七点四十五分出发。天气预报说有雨",
    "フェリーは７時４５分に出ます。ガソリンスタンド",
    "배는 일곱 시에 떠납니다. 학교에서",
    "เรือออกเวลาเจ็ดโมง สวัสดีครับ",
    "العبّارة تغادر في السابعة. مَرْحَبًا",
    "המעבורת יוצאת בשבע. שָׁלוֹם",
    "नाव सात बजे चलती है, मौसम अच्छा है",
    "Phà khởi hành lúc bảy giờ. Tiếng Việt",
    "İstanbul vapuru yedide kalkar, ISPARTA ılık",
    "𞤀𞤣𞤤𞤢𞤥 𐐐𐐯𐑊𐐬 𝔉𝔢𝔯𝔯𝔶 𠮷野家",
    "ferry-boat_schedule.pdf ferry@example.org C++ & AND OR NOT NEAR(x) \"quoted\" 'single' \\back",
    "☀️ 🚢 !!!",
    "",
    "x" * 300 + " ferryman",
)
QUESTIONS = (
    *("ferry", "FERR", "fer", "f", "fähre", "FAHRE", "strasse", "cafe", "ete", "l'été", "mañana por", "manan", "елка"),
    *(
        "ВСЁ",
        "πλοιο",
        "πειρ",
        "天气",
        "天",
        "雨",
        "气预报",
        "天气 四十",
        "雨天",
        "ガソ",
        "かそ",
        "フェリー",
        "７時",
        "7",
        "7 45",
    ),
    *(
        "학교",
        "학",
        "สวัส",
        "เรือ",
        "مرحبا",
        "العبارة",
        "שלום",
        "मौसम",
        "मास",
        "tieng viet",
        "isparta",
        "ılık",
        "𠮷",
        "𞤢𞤣",
    ),
    *(
        "ferry schedule",
        "schedule ferry pdf",
        "example.org",
        "AND",
        "OR NOT",
        "NEAR",
        "c",
        "x" * 64,
        "x" * 300,
        "ferryman",
    ),
)
HOSTILE = (
    *(
        '"',
        "'",
        '" OR "',
        "' OR '1'='1",
        "a' & 'b",
        "a:*",
        "a <-> b",
        "!a",
        "a | b",
        "(a",
        "a)",
        "^a",
        "words:a",
        "*",
        "-a",
    ),
    *(
        "\x00",
        "fer\x00ry",
        "\ud83d",
        "%",
        "_",
        "\\",
        "\\'",
        "{a b}",
        "NEAR(a b, 2)",
        "a AND",
        "'; DROP TABLE messages; --",
    ),
    *("", " ", "\n", "🙂", "ferry " * 50_000, "x" * 1_000_000, '"' * 1_000_000, " ".join(map(str, range(100_000)))),
)

Engines = tuple[DatabaseUrl, DatabaseUrl]


@pytest.fixture
def engines(_copied_sqlite: DatabaseUrl, _copied_postgresql: DatabaseUrl) -> Iterator[Engines]:
    """Both at once, each with a chatbot."""
    for url in (_copied_sqlite, _copied_postgresql):
        bind(url)
        make_chatbot()
        proxy.obj.close()
    yield _copied_sqlite, _copied_postgresql
    proxy.obj.close()


def expected(texts: tuple[str, ...] | list[str], question: str) -> list[int]:
    """What matching means, said without a database."""
    asked = wanted(question)[:24]
    hits = []
    for number, text in enumerate(texts, 1):
        has = set(words(text))
        is_begun = bool(asked) and any(word.startswith(asked[-1]) for word in has)
        if is_begun and has.issuperset(asked[:-1]):
            hits.append(number)
    return hits[::-1]


def test_both_engines_find_the_same_messages_in_every_language(engines: Engines) -> None:
    for url in engines:
        bind(url)
        write(CORPUS)
        assert {question: ids(question) for question in QUESTIONS} == {
            question: expected(CORPUS, question) for question in QUESTIONS
        }
        assert ids("ferry"), "the questions ask for something"
        assert [question for question in QUESTIONS if not ids(question)] == ["雨天", "かそ", "मास"]
        proxy.obj.close()


fragments = st.sampled_from(sorted({word for text in CORPUS for word in text.split()})) | st.text(max_size=6)
texts = st.lists(st.lists(fragments, max_size=6).map(" ".join), max_size=6)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=texts.map(lambda made: [text.replace("\x00", "").encode(errors="replace").decode() for text in made]),
    data=st.data(),
)
def test_both_engines_find_what_has_the_words_whatever_is_written(
    engines: Engines, texts: list[str], data: st.DataObject
) -> None:
    question = data.draw(st.sampled_from([*texts, *(text[:4] for text in texts), "a"]) | st.text(max_size=12))
    found = []
    for url in engines:
        bind(url)
        write(texts)
        found.append(ids(question))
        proxy.obj.close()
    assert found == [expected(texts, question)] * 2


@pytest.mark.usefixtures("service_database")
def test_of_each_conversation_the_newest_message_that_matches_is_found() -> None:
    chatbot = make_chatbot()
    quiet, busy, other = (begin(chatbot, title) for title in ("quiet", "busy", "other"))
    for talk, text in (
        (quiet, "The ferry."),
        (busy, "A ferry?"),
        (busy, "Which ferry?"),
        (busy, "None."),
        (other, "No."),
    ):
        index(say(talk, "user", text))
    found = newest("ferry", [quiet.id, busy.id, other.id])
    assert {talk: message.content for talk, message in found.items()} == {
        quiet.id: "The ferry.",
        busy.id: "Which ferry?",
    }
    assert found[busy.id].id == Message.get(Message.content == "Which ferry?").id
    assert newest("ferry", [other.id]) == newest("ferry", []) == newest("…", [quiet.id]) == {}


@pytest.mark.usefixtures("service_database")
def test_no_question_is_an_error() -> None:
    make_chatbot()
    write(CORPUS)
    for question in HOSTILE:
        assert len(ids(question)) < len(CORPUS)
        assert newest(question, [1]) == {}
