"""The forms: what may be typed, and what is said when it can't be used."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, NoReturn

from wtforms import (
    ColorField,
    Field,
    HiddenField,
    IntegerField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
    ValidationError,
)
from wtforms.validators import DataRequired, Length, NumberRange, Regexp
from wtforms.widgets import CheckboxInput, HiddenInput, ListWidget

from service.admin.parts.choices import Choice
from service.admin.parts.color import is_color
from service.admin.parts.inputs import Form
from service.admin.parts.records import LARGEST_ID
from service.chat.tools import choice
from service.models import Creator

# NUL as JSON writes it, unless its backslash is itself escaped.
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def strip(text: str | None) -> str:
    return (text or "").strip()


def strip_or_none(text: str | None) -> str | None:
    return strip(text) or None


def unix_lines(text: str | None) -> str:
    """Browsers send CRLF; without this, every prompt would look edited."""
    return (text or "").replace("\r\n", "\n")


def is_storable(text: str) -> bool:
    """PostgreSQL stores neither NUL nor half a surrogate pair in text or jsonb."""
    return not any(character == "\0" or "\ud800" <= character <= "\udfff" for character in text)


def at_most(length: int) -> Length:
    return Length(max=length, message=f"At most {length:,} characters.")


class Storable:
    def __call__(self, _form: Form, field: Field) -> None:
        if not is_storable(field.data or ""):
            raise ValidationError("This holds a character that can't be stored; type it again instead of pasting it.")


class JsonField(TextAreaField):
    """JSON of one kind, kept as it was typed when it can't be read."""

    def __init__(self, label: str, kind: type[dict[str, Any]] | type[list[Any]], **options: Any) -> None:
        super().__init__(label, default=kind, **options)  # type: ignore[arg-type]  # the stub knows only text
        self._kind = kind

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return json.dumps(self.data, indent=2, ensure_ascii=False)

    def process_formdata(self, valuelist: list[Any]) -> None:
        if not valuelist:
            return
        value = parse_json(valuelist[0]) if valuelist[0].strip() else self._kind()
        if not isinstance(value, self._kind):
            shape = "an object: { … }" if self._kind is dict else "a list: [ … ]"
            raise ValueError(f"This has to be {shape}")
        self.data = value  # type: ignore[assignment]  # the stub knows only text


def parse_json(text: str) -> Any:
    """What the JSON says. Raises ValueError with a sentence for the person who typed it."""
    try:
        value = json.loads(text, parse_constant=_not_json)
        stored = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except json.JSONDecodeError as error:
        raise ValueError(f"Not JSON: {error.msg} in line {error.lineno}, column {error.colno}.") from None
    except (ValueError, RecursionError):
        raise ValueError("This holds a number too large, or is nested too deeply, to be stored as JSON.") from None
    if _NUL.search(stored) or not is_storable(stored):
        raise ValueError("This holds a character that can't be stored, such as \\u0000.")
    return value


def _not_json(_constant: str) -> NoReturn:
    raise ValueError


class Ticks(SelectMultipleField):
    """Any number of the choices, each with a box to tick."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()


class ChatbotForm(Form):
    title = StringField(
        "Title",
        [DataRequired("Give the chatbot a title."), at_most(120), Storable()],
        filters=[strip],
    )
    system_prompt = TextAreaField("System prompt", [at_most(200_000), Storable()], filters=[unix_lines])
    model_provider = SelectField("Provider")
    model_name = StringField("Model", [at_most(120), Storable()], filters=[strip])
    pinecone_namespace = StringField("Pinecone namespace", [at_most(120), Storable()], filters=[strip_or_none])
    vector_namespace = StringField("Vector namespace", [at_most(120), Storable()], filters=[strip_or_none])
    servers = Ticks("Servers")
    config = JsonField("Configuration", dict)
    rag_settings = JsonField("Retrieval settings", dict)
    ingestion_run_ids = JsonField("Ingestion runs", list)
    notes = TextAreaField("What changed, and why?", [at_most(2000), Storable()], filters=[unix_lines, strip])
    expected = IntegerField("Version", [NumberRange(min=0, max=LARGEST_ID)], default=0)
    # For trying the draft: what is asked, and what was said before it.
    question = TextAreaField("Question", [at_most(20_000), Storable()], filters=[unix_lines, strip])
    said = HiddenField("Said", [at_most(500_000)], default="")

    def offer_providers(self, names: Iterable[str], present: str) -> None:
        """The provider that is set stays on offer, though this release may not know it."""
        known = list(names)
        known += [] if present in known else [present]
        self.model_provider.choices = [(name, name) for name in known]

    def offer_servers(self, defined: Iterable[str], present: Iterable[str]) -> None:
        """The operator's tool servers: those of the version first, in its order, be they still defined or not."""
        known, chosen = list(defined), list(present)
        lost = [(name, f"{name}, which MCP_SERVERS no longer defines") for name in chosen if name not in known]
        kept = [(name, name) for name in chosen if name in known]
        self.servers.choices = [*kept, *lost, *((name, name) for name in known if name not in chosen)]

    def show_servers(self) -> None:
        """Names become ticks, and what is left of the config is shown as it is."""
        config: Any = self.config.data
        self.servers.data = choice.named(config)
        self.config.data = choice.without(config)  # type: ignore[assignment]  # the stub knows only text

    def changes(self) -> dict[str, Any]:
        """The settings as they were typed and ticked, without what is about the act of publishing."""
        aside = ("notes", "expected", "question", "said", "servers")
        typed = {name: value for name, value in self.data.items() if name not in aside}
        return typed | {"config": choice.joined(typed["config"], self.servers.data or ())}


class NewChatbotForm(ChatbotForm):
    """`team` is whose it will be; 0 stands for a team that is made for it."""

    team = SelectField("Team", coerce=int)

    def offer_teams(self, teams: Iterable[Creator], usual: int) -> None:
        offered = [(team.id, team.name) for team in teams]
        self.team.choices = offered if usual else [(0, "A new one, of your own name"), *offered]

    def changes(self) -> dict[str, Any]:
        return {name: value for name, value in super().changes().items() if name != "team"}


class MoveForm(Form):
    """`expected` is whose the chatbot was when the page was made."""

    team = SelectField("New team", coerce=int)
    expected = IntegerField("Present team", [NumberRange(0, LARGEST_ID)], default=0, widget=HiddenInput())

    def offer_teams(self, teams: Iterable[Creator]) -> None:
        self.team.choices = [(team.id, team.name) for team in teams]


class PersonaForm(Form):
    """`seen` stands for what the persona was when the page was made."""

    name = StringField("Name", [DataRequired("Give the persona a name."), at_most(120), Storable()], filters=[strip])
    description = StringField("Description", [at_most(300), Storable()], filters=[strip])
    instructions = TextAreaField("Instructions", [at_most(20_000), Storable()], filters=[unix_lines, strip])
    color = ColorField("Colour")
    seen = HiddenField("Seen", default="")

    def settings(self) -> dict[str, Any]:
        return {name: value for name, value in self.data.items() if name != "seen"}

    def validate_color(self, field: Field) -> None:
        if not is_color(field.data or ""):
            raise ValidationError("Choose a colour, or type one such as #0b6e75.")


class MessageForm(Form):
    """`key` makes a message sent twice by an impatient finger one message."""

    content = TextAreaField(
        "Message",
        [DataRequired("Type a message."), at_most(20_000), Storable()],
        filters=[unix_lines, strip],
    )
    key = HiddenField("Key", [Regexp(r"^[0-9a-f]{32}$", message="Load the page again, then send your message.")])


class FirstMessageForm(MessageForm):
    chatbot = Choice("Chatbot", coerce=int)
    persona = Choice("Persona", default="")
