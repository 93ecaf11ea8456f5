"""The database of conversations and feedback: one SQLite file, the only room that speaks SQL.

Import ``Store`` from :mod:`assistant.store.store`; this file stays empty so that a neighbour
such as :mod:`assistant.store.trl` can be used without opening anything.
"""
