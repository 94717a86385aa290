"""Deploys that are killed at every statement, each finished by one more plain deploy."""
