"""The chatbots: which there are, drafts and what they would answer, the history of versions, and whose they are."""

from __future__ import annotations

from service.admin.chatbots import drafts, history, team
from service.admin.chatbots.listing import pages

__all__ = ["drafts", "history", "pages", "team"]
