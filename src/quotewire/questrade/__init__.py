"""All that knows Questrade's wire: messages and tokens (pure), login, REST and stream (they touch the network)."""
