"""Slipway: chatbots with an admin panel, a bot worker and a migration runner that survives bad nights."""
