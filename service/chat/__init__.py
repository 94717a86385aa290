"""The domain: receiving, answering, versions. Knows neither Flask nor Telegram."""
