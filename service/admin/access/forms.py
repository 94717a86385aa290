"""The forms about people: how they come in, and what is said when they can't."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from wtforms import Field, HiddenField, PasswordField, SelectField, StringField, ValidationError
from wtforms.validators import DataRequired, EqualTo, Length

from service.admin.access.accounts import is_email
from service.admin.parts.forms import Storable, Ticks, at_most, strip
from service.admin.parts.inputs import Form
from service.admin.parts.paging import read_id
from service.models import EDITOR, OWNER, VIEWER, Creator

LEAST_PASSWORD = 10
ROLES = (
    (VIEWER, "Viewer: sees chatbots and conversations, changes nothing"),
    (EDITOR, "Editor: changes chatbots too, and talks to them"),
    (OWNER, "Owner: everything, in all teams; people, tokens and the audit log too"),
)
# Days from now; 0 is for what nobody may forget to renew.
LIFETIMES = ((30, "in a month"), (90, "in three months"), (365, "in a year"), (0, "never"))


def new_password(label: str) -> PasswordField:
    too_short = Length(min=LEAST_PASSWORD, message=f"At least {LEAST_PASSWORD} characters; a sentence does well.")
    return PasswordField(label, [DataRequired("Choose a password."), too_short, at_most(1000)])


def name_of_a_person() -> StringField:
    return StringField("Name", [DataRequired("Type your name."), at_most(120), Storable()], filters=[strip])


class SignInForm(Form):
    email = StringField("Email", [DataRequired("Type your email address."), at_most(254), Storable()])
    password = PasswordField("Password", [DataRequired("Type your password."), at_most(1000)])


class CodeForm(Form):
    code = StringField("Code", [DataRequired("Type the six digits."), at_most(20)], filters=[strip])


class WelcomeForm(Form):
    name = name_of_a_person()
    password = new_password("Password")
    again = PasswordField("The same password again", [EqualTo("password", "That is not the same password.")])


class NewPasswordForm(Form):
    password = new_password("New password")
    again = PasswordField("New password again", [EqualTo("password", "That is not the same password.")])


class NameForm(Form):
    name = name_of_a_person()


class ProofForm(Form):
    """For what a stranger at an unlocked computer should not be able to do."""

    present = PasswordField("Your password", [DataRequired("Type your password."), at_most(1000)])


class PasswordForm(ProofForm, NewPasswordForm):
    pass


class SecondStepForm(ProofForm, CodeForm):
    """Proof that the telephone has the secret."""


class RoleForm(Form):
    role = SelectField("Role", choices=lambda: list(ROLES), default=EDITOR)


class InviteForm(RoleForm):
    email = StringField("Email", [DataRequired("Type an email address."), at_most(254), Storable()], filters=[strip])
    creator = SelectField("Team", coerce=int)

    def validate_email(self, field: Field) -> None:
        if field.data and not is_email(field.data):
            raise ValidationError("That is not an email address, such as ann@example.com.")

    def offer(self, creators: list[Creator]) -> None:
        self.creator.choices = [(0, "None yet"), *((creator.id, creator.name) for creator in creators)]


class TeamsForm(Form):
    """`was` has the numbers of the teams that were ticked when the page was made."""

    creators = Ticks("Teams", coerce=int)
    was = HiddenField("Teams until now", default="")

    def offer(self, creators: list[Creator]) -> None:
        self.creators.choices = [(creator.id, creator.name) for creator in creators]

    def expected(self) -> set[int]:
        return {number for text in (self.was.data or "").split(",") if (number := read_id(text))}


class TeamForm(Form):
    name = StringField("Name", [DataRequired("Type a name."), at_most(120), Storable()], filters=[strip])


class TokenForm(Form):
    name = StringField("Name", [DataRequired("Say what the token is for."), at_most(120), Storable()], filters=[strip])
    scopes = Ticks("What it may do", [DataRequired("Tick at least one.")])
    days = SelectField("It ends", choices=lambda: list(LIFETIMES), coerce=int, default=90)

    def offer(self, scopes: Iterable[str], meanings: Mapping[str, tuple[str, str]]) -> None:
        self.scopes.choices = [(scope, f"{scope}: {meanings[scope][0]}") for scope in scopes]
