"""The chatbots: which there are, drafts and what they would answer, and the history of versions."""

from __future__ import annotations

from service.admin.chatbots import drafts, history
from service.admin.chatbots.listing import pages

__all__ = ["drafts", "history", "pages"]
