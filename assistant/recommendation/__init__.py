"""Which model to take: what was measured of each, joined with what this machine can hold."""

from assistant.recommendation.advice import Advice, Judged, advise
from assistant.recommendation.evidence import Evidence
from assistant.recommendation.wish import Wish, read_wish

__all__ = ["Advice", "Evidence", "Judged", "Wish", "advise", "read_wish"]
