"""What an endpoint's refusal means: whether another attempt may help, and what the operator can do."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from service.chat.keyring import origin
from service.chat.options import Options
from service.chat.providers import wire
from service.chat.providers.talk import ProviderError

LONGEST_DELAY = 300.0
# Too early, too many, too slow: what is worth another attempt besides every 5xx.
_PASSING = (408, 409, 425, 429)


def refusal(status: int, headers: Mapping[str, str], text: str, options: Options, model: str) -> ProviderError:
    """The error for a response that is no stream of events."""
    where, event = origin(options.base_url), _event(text)
    said = f"{where} answered {status}: {wire.complaint(event)}" if event else f"{where} answered {status}."
    if status == 429 and wire.code(event) == "insufficient_quota":
        return ProviderError(f"{said} Add credit to the account of the key.", is_temporary=False)
    if status >= 500 or status in _PASSING:
        return ProviderError(said, is_temporary=True, delay=_delay(headers.get("retry-after", "")))
    return ProviderError(" ".join(filter(None, (said, _remedy(status, options, model)))), is_temporary=False)


def _remedy(status: int, options: Options, model: str) -> str:
    if status in (401, 403):
        if not options.key_name:
            return "It wants a key: name its variable in config.api_key_env, in a new version of the chatbot."
        return f"Give the process that answers a valid key in {options.key_name}, and start it anew."
    if status == 404:
        return f"Look at config.base_url and at the model's name, {model!r}."
    if status == 413:
        return "Lower config.history_tokens in a new version of the chatbot."
    if 300 <= status < 400:
        return "It redirects, and a key goes nowhere but to config.base_url: set that to the final address."
    if status < 300:
        return "It did not stream; config.base_url has to be that of an OpenAI-compatible API."
    return ""


def _event(text: str) -> Mapping[str, object]:
    try:
        event = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return event if isinstance(event, Mapping) else {}


def _delay(asked: str) -> float:
    """Of the two forms of Retry-After the one in seconds; a date would need clocks that agree."""
    return min(float(asked), LONGEST_DELAY) if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", asked) else 0.0
