"""The worker: takes work from the inbox and the outbox, and talks to Telegram. Never migrates."""
