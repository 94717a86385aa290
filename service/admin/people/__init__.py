"""The people of the panel, their teams, their keys, and what each of them has changed."""

from __future__ import annotations

from service.admin.people import questions, teams
from service.admin.people.members import pages

__all__ = ["pages", "questions", "teams"]
