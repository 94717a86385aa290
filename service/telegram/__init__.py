"""Telegram as a channel: updates become inbox items, answers become messages. Worker and webhook share it."""
