"""A gateway of several processes on one machine: one owner of the upstream, any number of workers for clients."""
