"""Where Telegram brings its updates, when TELEGRAM_WEBHOOK_URL says so. Stored and committed, then confirmed."""

from __future__ import annotations

import logging

from flask import Blueprint, Flask, abort, current_app, request

from service.config import Config
from service.database import connection
from service.telegram.secret import HEADER, is_secret

pages = Blueprint("webhook", __name__)
logger = logging.getLogger(__name__)

LIMIT = 256 * 1024  # a message has 4096 characters at most


def init_app(app: Flask) -> None:
    """The address exists only where it is wanted. Who calls is known by the secret, not by a form's token."""
    config: Config = app.config["SLIPWAY"]
    if config.telegram_webhook_url and config.telegram_bot_token:
        app.extensions["csrf"].exempt(pages)
        app.register_blueprint(pages)


@pages.post("/telegram/<username>")
def receive(username: str) -> tuple[str, int]:
    config: Config = current_app.config["SLIPWAY"]
    if not is_secret(request.headers.get(HEADER, ""), config.telegram_bot_token):
        logger.warning("Telegram: a call from %s without the secret was refused.", request.remote_addr)
        return "This is not for you.", 403
    request.max_content_length = LIMIT
    return _store(config, username, request.get_json(silent=True))


def _store(config: Config, username: str, payload: object) -> tuple[str, int]:
    # Half a second, in the first call: only a panel that serves a webhook needs Telegram's library.
    from service.telegram import updates
    from service.telegram.client import Me, bot_number
    from service.telegram.reading import Malformed, decode

    try:
        number, reading = decode(payload, Me(bot_number(config.telegram_bot_token), username), config.telegram_groups)
    except Malformed as error:
        logger.warning("Telegram: a call was no update: %s", error)
        return "This is no update.", 400
    with connection():
        chatbot = updates.served(config.telegram_chatbot)
        if chatbot is None:
            logger.warning("Telegram: there is no chatbot to answer; messages wait at Telegram until it is made.")
            abort(503)
        outcome = updates.store(chatbot, reading)
    logger.info("Telegram: update %d %s", number, outcome)
    return "", 200
