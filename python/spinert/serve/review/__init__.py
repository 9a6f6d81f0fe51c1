"""The review page: experts look at results and correct them (docs/review.md)."""
