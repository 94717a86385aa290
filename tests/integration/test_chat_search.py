from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.chat.providers import built_in
from service.chat.respond import respond
from service.chat.search import Piece, excerpt, highlight, index, index_missing, matching
from service.chat.words import wanted, words
from service.database import bind, proxy, writing
from service.models import Chatbot, Message
from service.url import DatabaseUrl
from tests.support.chat import make_chatbot, send

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


def write(texts: tuple[str, ...] | list[str]) -> None:
    """Exactly these messages, numbered from 1."""
    chatbot = Chatbot.get()
    with writing(proxy.obj):
        Message.delete().execute()
        for number, text in enumerate(texts, 1):
            index(Message.create(id=number, chatbot=chatbot, role="user", content=text))


def ids(question: str) -> list[int]:
    found = Message.select(Message.id).where(matching(question)).order_by(Message.id.desc())
    return [message.id for message in found]


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
class TestOnEachEngine:
    def test_no_question_is_an_error(self) -> None:
        make_chatbot()
        write(CORPUS)
        for question in HOSTILE:
            assert len(ids(question)) < len(CORPUS)

    def test_a_megabyte_of_different_words_is_found_by_the_first(self) -> None:
        make_chatbot()
        write([" ".join(f"word{number}" for number in range(150_000))])
        assert ids("word7 word999") == [1]

    def test_an_answer_is_found_as_soon_as_it_is_written(self) -> None:
        reply = respond(send(make_chatbot(), "Where is the Fährhaus?"), built_in(), lambda: None)
        question = reply.reply_to
        assert ids("fahrhaus where") == [reply.id, question.id]

    def test_a_message_that_changed_is_found_by_its_new_words_alone(self) -> None:
        make_chatbot()
        write(["old words"])
        message = Message.get()
        message.content = "new ones"
        index(message)
        assert (ids("old"), ids("new")) == ([], [1])

    def test_messages_without_words_get_them_the_newest_first(self) -> None:
        chatbot = make_chatbot()
        for number in range(5):
            Message.create(chatbot=chatbot, role="user", content=f"ferry {number}" if number else "…")
        assert ids("ferry") == []
        newest = index_missing(2)
        assert newest == [5, 4]
        assert [Message.get_by_id(number).content for number in ids("ferry")] == ["ferry 4", "ferry 3"]
        assert index_missing(100, below=newest[-1]) == [3, 2, 1]
        assert index_missing(100) == [], "one without a letter counts as done"
        assert len(ids("ferry")) == 4

    def test_a_message_that_is_deleted_while_its_words_are_looked_for_leaves_none(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        message = Message.create(chatbot=make_chatbot(), role="user", content="ferry")

        def slow(content: str) -> list[str]:
            Message.delete().where(Message.id == message.id).execute()
            return words(content)

        monkeypatch.setattr("service.chat.search.words", slow)
        assert index_missing(10) == [message.id]
        assert proxy.obj.execute_sql("SELECT count(*) FROM message_search").fetchone() == (0,)

    def test_a_deleted_message_leaves_no_words(self) -> None:
        make_chatbot()
        write(["ferry", "ferry"])
        Message.delete().where(Message.id == 1).execute()
        assert ids("ferry") == [2]
        assert proxy.obj.execute_sql("SELECT count(*) FROM message_search").fetchone() == (1,)


@pytest.mark.parametrize(
    ("content", "question", "marked"),
    [
        ("The Ferry leaves", "ferry", "The [Ferry] leaves"),
        ("Fähren und Fahrten", "fahr", "[Fähren] und [Fahrten]"),
        ("one two three", "two thr", "one [two] [three]"),
        ("one two", "one three", "[one] two"),
        ("有天气预报吗", "天气预报", "有[天气预报]吗"),
        ("<b>ferry</b>", "ferry", "<b>[ferry]</b>"),
        ("e\u0301te\u0301 ici", "ete", "[e\u0301te\u0301] ici"),
        ("nothing here", "ferry", "nothing here"),
        ("nothing here", "…", "nothing here"),
        ("", "ferry", ""),
    ],
)
def test_what_was_asked_for_is_marked(content: str, question: str, marked: str) -> None:
    pieces = highlight(content, question)
    assert shown(pieces) == marked
    assert "".join(piece.text for piece in pieces) == content


@given(st.text(), st.text())
def test_marking_loses_no_character(content: str, question: str) -> None:
    assert "".join(piece.text for piece in highlight(content, question)) == content


def test_an_excerpt_shows_the_first_place_with_what_is_around_it() -> None:
    content = "word " * 100 + "the ferry leaves " + "word " * 100
    pieces = excerpt(content, "ferry", 60)
    assert shown(pieces) == "…word word the [ferry] leaves word word word word word word wor…"
    assert shown(excerpt("The ferry.", "ferry", 60)) == "The [ferry]."
    assert shown(excerpt("Nothing " * 20, "ferry", 16)) == "Nothing Nothing …"


def shown(pieces: list[Piece]) -> str:
    return "".join(f"[{piece.text}]" if piece.is_hit else piece.text for piece in pieces)
