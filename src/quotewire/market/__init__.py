"""Quotes, symbols, the book, freshness and market hours. Pure: no clock, no socket."""
