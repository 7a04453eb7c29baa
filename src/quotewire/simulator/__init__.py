"""A Questrade to run against: deterministic market, faithful wire, scripted faults."""
