"""Alembic: how the tables came to be. `python -m cases migrate` brings any database to the newest revision."""
