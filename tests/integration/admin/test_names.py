"""Names stand in one order, whatever their case, wherever people look for one."""

from __future__ import annotations

import re

import pytest

from service.models import Chatbot, Creator, CreatorUser, Persona, User
from tests.support.chat import make_user
from tests.support.panel import Browser

NAMES = ("zander", "Apple", "Zebra", "apricot")
SORTED = ["Apple", "apricot", "zander", "Zebra"]


@pytest.fixture
def owner(browser: Browser) -> Browser:
    """Everything that has a name, in an order of making that is none of theirs."""
    user, mate = User.get(), make_user("Mate")
    for name in NAMES:
        team = Creator.create(name=name)
        CreatorUser.create(creator=team, user=mate)
        Chatbot.create(creator=team, title=name)
        Persona.create(user=user, name=name)
    return browser


def in_order(text: str) -> list[str]:
    """Each once, though its card may say it again."""
    return list(dict.fromkeys(re.findall(rf">\s*({'|'.join(NAMES)})\s*<", text)))


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("/chatbots/", ".*"),
        ("/personas/", ".*"),
        ("/people/teams", ".*"),
        ("/people/invite", '<select[^>]+id="creator".*?</select>'),
        ("/people/2", "<fieldset.*?</fieldset>"),
        ("/chatbots/new", '<select[^>]+id="team".*?</select>'),
        ("/talk/", '<select[^>]+id="chatbot".*?</select>'),
        ("/talk/", '<select[^>]+id="persona".*?</select>'),
        ("/conversations/", '<select[^>]+name="chatbot".*?</select>'),
        ("/conversations/", '<select[^>]+name="persona".*?</select>'),
    ],
)
def test_names_are_sorted_without_regard_to_their_case(owner: Browser, path: str, part: str) -> None:
    path = path.replace("/2", f"/{User.get(User.name == 'Mate').id}")
    found = re.search(part, owner.read(path), re.DOTALL)
    assert found, "the page has no such list"
    assert in_order(found[0]) == SORTED


def test_the_teams_of_a_person_too(owner: Browser) -> None:
    assert ", ".join(SORTED) in owner.read("/people/")


def test_a_chatbot_goes_to_a_team_from_a_sorted_list(owner: Browser) -> None:
    chatbot = Chatbot.get(Chatbot.title == "Zebra")
    assert in_order(owner.read(f"/chatbots/{chatbot.id}/team").partition("<select")[2]) == SORTED[:3]
