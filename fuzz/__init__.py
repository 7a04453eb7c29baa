"""Fuzzing: see README.md here."""
