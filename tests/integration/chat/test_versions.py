from __future__ import annotations

import threading
from typing import Any

import peewee as pw
import pytest

from service.chat import versions
from service.chat.options import SettingError
from service.chat.versions import VersionConflict
from service.database import connection
from service.models import Chatbot, ChatbotVersion
from tests.support.chat import make_chatbot, make_user

pytestmark = pytest.mark.usefixtures("service_database")


def numbers(chatbot: Chatbot) -> list[int]:
    return [version.number for version in stored(chatbot)]


def stored(chatbot: Chatbot) -> list[ChatbotVersion]:
    return list(ChatbotVersion.select().where(ChatbotVersion.chatbot == chatbot).order_by(ChatbotVersion.number))


def test_a_chatbot_gets_version_1_on_first_use_from_its_own_fields() -> None:
    author = make_user()
    chatbot = make_chatbot(user=author, system_prompt="Be kind.", config={"temperature": 0.5})
    version = versions.current(chatbot)
    assert (version.number, version.system_prompt, version.config) == (1, "Be kind.", {"temperature": 0.5})
    assert version.created_by == author
    assert Chatbot.get().current_version == version


def test_asking_again_makes_no_further_version() -> None:
    chatbot = make_chatbot()
    assert versions.current(chatbot) == versions.current(chatbot)
    assert numbers(chatbot) == [1]


def test_a_creator_without_a_user_is_no_obstacle() -> None:
    version = versions.current(make_chatbot(user=None))
    assert version.created_by is None


def test_first_use_by_many_at_once_makes_one_version() -> None:
    chatbot = make_chatbot()
    found: list[int] = []

    def use() -> None:
        with connection():
            found.append(versions.current(chatbot).id)

    threads = [threading.Thread(target=use) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert len(set(found)) == 1
    assert numbers(chatbot) == [1]


def test_publishing_makes_the_next_version_and_moves_the_chatbot_to_it() -> None:
    author = make_user()
    chatbot = make_chatbot(model_name="small", system_prompt="Be brief.")
    first = versions.current(chatbot)
    changes = {"system_prompt": "Be thorough.", "title": "Advisor"}
    second = versions.publish(chatbot, changes, expected=1, author=author, notes="Longer answers")
    assert (second.number, second.system_prompt, second.model_name) == (2, "Be thorough.", "small")
    assert (second.created_by, second.notes) == (author, "Longer answers")
    moved = Chatbot.get()
    assert (moved.title, moved.system_prompt, moved.current_version) == ("Advisor", "Be thorough.", second)
    assert (chatbot.title, chatbot.current_version) == ("Advisor", second)
    assert ChatbotVersion.get_by_id(first.id).system_prompt == "Be brief."


def test_publishing_before_first_use_keeps_what_was_there_as_version_1() -> None:
    chatbot = make_chatbot(system_prompt="Old.")
    versions.publish(chatbot, {"system_prompt": "New."}, expected=1, author=None)
    assert [version.system_prompt for version in stored(chatbot)] == ["Old.", "New."]


def test_a_published_version_can_not_be_changed() -> None:
    version = versions.current(make_chatbot(system_prompt="As published."))
    with pytest.raises(pw.DatabaseError):
        ChatbotVersion.update(system_prompt="Rewritten.").execute()
    assert ChatbotVersion.get_by_id(version.id).system_prompt == "As published."


def test_two_editors_do_not_overwrite_each_other() -> None:
    chatbot = make_chatbot()
    same_chatbot = Chatbot.get()
    versions.publish(chatbot, {"system_prompt": "From one."}, expected=1, author=None)
    with pytest.raises(VersionConflict) as caught:
        versions.publish(same_chatbot, {"system_prompt": "From two."}, expected=1, author=None)
    assert (caught.value.expected, caught.value.current) == (1, 2)
    assert str(caught.value) == (
        "Version 2 was published while version 1 was being edited; reload, look at the difference and publish again."
    )
    assert Chatbot.get().system_prompt == "From one."
    assert numbers(chatbot) == [1, 2]


def test_who_starts_from_a_version_that_is_not_there_is_told_which_is() -> None:
    with pytest.raises(VersionConflict, match="Version 3 is not the current one, 1 is; reload"):
        versions.publish(make_chatbot(), {"system_prompt": "Mine."}, expected=3, author=None)


def test_the_next_number_follows_the_highest_even_when_an_older_version_is_current() -> None:
    chatbot = make_chatbot()
    first = versions.current(chatbot)
    versions.publish(chatbot, {"system_prompt": "Two."}, expected=1, author=None)
    Chatbot.update(current_version=first).execute()
    assert versions.publish(chatbot, {"system_prompt": "Three."}, expected=1, author=None).number == 3


@pytest.mark.parametrize("name", ["number", "creator", "sytem_prompt"])
def test_a_setting_that_does_not_exist_is_refused(name: str) -> None:
    chatbot = make_chatbot()
    with pytest.raises(ValueError, match=f"no setting named {name}"):
        versions.publish(chatbot, {name: "x"}, expected=1, author=None)
    assert numbers(chatbot) == []


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"config": {"temperature": "hot"}}, "config.temperature has to be a number from 0 to 2."),
        ({"rag_settings": {"topk": 3}}, "rag_settings has no key 'topk'; did you mean top_k?"),
        (
            {"model_name": "", "model_provider": "openai"},
            "model_name is empty; the provider openai needs the name of a model.",
        ),
    ],
)
def test_settings_that_no_answer_could_use_are_not_published(changes: dict[str, Any], complaint: str) -> None:
    chatbot = make_chatbot()
    with pytest.raises(SettingError) as caught:
        versions.publish(chatbot, changes, expected=1, author=None)
    assert (str(caught.value), caught.value.setting) == (complaint, next(iter(changes)))
    assert numbers(chatbot) == []


def test_settings_from_before_they_were_checked_do_not_keep_anybody_from_publishing() -> None:
    old = {"temprature": 1}
    chatbot = make_chatbot(config=old)
    version = versions.publish(chatbot, {"system_prompt": "New.", "config": old}, expected=1, author=None)
    assert (version.system_prompt, version.config) == ("New.", old)


def test_going_back_publishes_the_old_settings_as_the_next_version() -> None:
    author = make_user()
    chatbot = make_chatbot(system_prompt="Old.", config={"from": "before checks"})
    versions.publish(chatbot, {"system_prompt": "New.", "title": "Advisor", "config": {}}, expected=1, author=None)
    third = versions.make_current(chatbot, 1, expected=2, author=author)
    assert (third.number, third.system_prompt, third.config) == (3, "Old.", {"from": "before checks"})
    assert (third.notes, third.created_by) == ("The settings of version 1 again.", author)
    assert (Chatbot.get().current_version, chatbot.system_prompt) == (third, "Old.")
    assert Chatbot.get().title == "Advisor", "the title is no part of a version"
    assert [version.system_prompt for version in stored(chatbot)] == ["Old.", "New.", "Old."]


def test_going_back_does_not_overwrite_what_somebody_else_published() -> None:
    chatbot = make_chatbot()
    versions.publish(chatbot, {"system_prompt": "Two."}, expected=1, author=None)
    with pytest.raises(VersionConflict):
        versions.make_current(chatbot, 1, expected=1, author=None)
    assert numbers(chatbot) == [1, 2]


def test_a_version_of_another_chatbot_can_not_be_gone_back_to() -> None:
    chatbot, other = make_chatbot(), make_chatbot()
    versions.publish(other, {"system_prompt": "Theirs."}, expected=1, author=None)
    with pytest.raises(LookupError, match=r"^Helper has no version 2\.$"):
        versions.make_current(chatbot, 2, expected=1, author=None)
    assert Chatbot.get_by_id(chatbot.id).system_prompt == "Be brief."
