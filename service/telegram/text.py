"""Text as Telegram takes it."""

from __future__ import annotations

LIMIT = 4096  # UTF-16 code units, as Telegram counts them


def split(text: str, limit: int = LIMIT) -> list[str]:
    """Parts that Telegram accepts, cut at a line end or a space where there is one in the second half."""
    parts = []
    while len(text.encode("utf-16-le")) > 2 * limit:
        longest = text.encode("utf-16-le")[: 2 * limit].decode("utf-16-le", "ignore")
        cut = next((at for at in (longest.rfind("\n"), longest.rfind(" ")) if at >= len(longest) // 2), len(longest))
        parts.append(text[:cut].rstrip())
        text = text[cut:].lstrip()
    return [part for part in (*parts, text) if part.strip()]
