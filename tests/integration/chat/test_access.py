"""Whose chatbots and conversations somebody may see."""

from __future__ import annotations

import pytest

from service.chat import access
from service.models import EDITOR, OWNER, VIEWER, Conversation, User
from tests.support.chat import make_chatbot, make_user

pytestmark = pytest.mark.usefixtures("service_database")


@pytest.fixture
def stranger() -> User:
    """Somebody with a chatbot and a conversation of their own, which nobody else should be shown."""
    user = make_user("Eve")
    Conversation.create(chatbot=make_chatbot(user=user, title="Eve's"), title="Eve's talk")
    return user


@pytest.mark.parametrize("role", [EDITOR, VIEWER])
def test_a_member_sees_what_their_creator_has(stranger: User, role: str) -> None:
    user = make_user("Ada")
    user.role = role
    mine = make_chatbot(user=user, title="Ada's")
    talk = Conversation.create(chatbot=mine, title="Ada's talk")
    assert list(access.chatbots(user)) == [mine]
    assert list(access.conversations(user)) == [talk]


def test_an_owner_sees_everything(stranger: User) -> None:
    user = make_user("Ada")
    make_chatbot(title="Of nobody")
    assert user.role == OWNER
    assert {chatbot.title for chatbot in access.chatbots(user)} == {"Eve's", "Of nobody"}
    assert [conversation.title for conversation in access.conversations(user)] == ["Eve's talk"]


def test_who_belongs_to_nobody_sees_nothing(stranger: User) -> None:
    user = make_user("Ada")
    user.role = VIEWER
    assert not access.chatbots(user).exists()
    assert not access.conversations(user).exists()
