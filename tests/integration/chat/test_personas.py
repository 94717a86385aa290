"""Personas, where two people, or a person and a worker, are at them in the same moment."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from service.chat import personas
from service.database import connection, writing
from service.models import Message, Persona, User
from service.url import DatabaseUrl
from tests.support.chat import make_chatbot
from tests.support.panel import add_user, at_once
from tests.support.processes import HANGS

MOMENT = 0.1


@pytest.fixture
def user(service_database: DatabaseUrl) -> User:
    return add_user()


def test_of_several_who_give_a_name_at_once_one_gets_it(user: User) -> None:
    def make() -> None:
        with connection() as database, writing(database):
            if not personas.is_taken(user, "Mate"):
                time.sleep(MOMENT)
                Persona.create(user=user, name="mate")

    at_once(4, make)
    assert personas.own(user).count() == 1


def test_a_name_is_taken_by_others_of_the_same_person_alone(user: User) -> None:
    mate = Persona.create(user=user, name="Mate")
    with connection() as database, writing(database):
        assert personas.is_taken(user, "MATE")
        assert not personas.is_taken(user, "MATE", besides=mate)
        assert not personas.is_taken(add_user("eve@example.org"), "Mate")


def test_a_persona_that_speaks_while_it_is_to_be_deleted_stays(user: User) -> None:
    persona, chatbot = Persona.create(user=user, name="Mate"), make_chatbot()
    is_said = threading.Event()

    def speak() -> None:
        with connection() as database, writing(database):
            Message.create(chatbot=chatbot, role="assistant", content="Ahoy", persona=persona)
            is_said.set()
            time.sleep(MOMENT)

    def delete() -> None:
        is_said.wait(HANGS)
        with connection() as database, writing(database):
            if not personas.has_spoken(persona):
                Persona.delete().where(Persona.id == persona.id).execute()

    with ThreadPoolExecutor() as threads:
        for done in [threads.submit(work) for work in (speak, delete)]:
            done.result(HANGS)
    assert Message.get().persona == persona
