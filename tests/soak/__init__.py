"""The worker under load and under fire: many messages, workers that are killed, a database that is restarted."""
