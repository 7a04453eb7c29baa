"""Rules for living with failure: lifecycle, back-off, budgets, breakers, retry. Pure: time and chance come in."""
