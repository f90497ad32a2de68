"""The questions that are put to a model: 100 of our own, or yours."""

from ._queries import KINDS, SETS, Query, load_queries, query_set_fingerprint

__all__ = ["KINDS", "SETS", "Query", "load_queries", "query_set_fingerprint"]
