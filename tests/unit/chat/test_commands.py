from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.chat.asides import chosen_by
from service.chat.commands import COMMANDS, Command, parse
from service.models import Persona

PERSONAS = [Persona(id=number, name=name) for number, name in enumerate(("Ada", "Pirate", "3"), start=10)]


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("/help", Command("help")),
        ("  /Help  ", Command("help")),
        ("/persona  Old\n Pirate ", Command("persona", "Old Pirate")),
        ("/help@Harbour_bot", Command("help", addressee="Harbour_bot")),
        ("/persona@Harbour_bot 2", Command("persona", "2", "Harbour_bot")),
        ("/weather Oslo", Command("weather", "Oslo")),
    ],
)
def test_a_command_is_recognised(text: str, command: Command) -> None:
    assert parse(text) == command


@pytest.mark.parametrize(
    "text",
    ["", "/", "help", "Please /help", "/etc/hosts is missing", "/ help", "//help", "/help@", "/help!", "/" + "x" * 33],
)
def test_what_only_looks_like_a_command_is_a_message(text: str) -> None:
    assert parse(text) is None


@given(st.text(max_size=40))
def test_any_text_is_a_command_or_not_but_never_an_error(text: str) -> None:
    command = parse("/" + text)
    assert command is None or (command.name == command.name.lower() and "\n" not in command.argument)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_commands_of_the_list_are_known(name: str) -> None:
    command = parse(f"/{name}")
    assert command is not None
    assert command.is_known
    assert not Command("weather").is_known


@pytest.mark.parametrize(
    ("words", "name"),
    [("ada", "Ada"), ("PIRATE", "Pirate"), ("1", "Ada"), ("2", "Pirate"), ("3", "3"), ("0", None), ("4", None)],
)
def test_a_persona_is_chosen_by_its_name_or_else_by_its_number(words: str, name: str | None) -> None:
    chosen = chosen_by(words, PERSONAS)
    assert (chosen.name if chosen else None) == name


@pytest.mark.parametrize("words", ["", "-1", "²", "99999999999999999999", "Adam"])
def test_what_names_no_persona_chooses_none(words: str) -> None:
    assert chosen_by(words, PERSONAS) is None
