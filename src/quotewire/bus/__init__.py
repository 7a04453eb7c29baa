"""What carries quotes, wants and questions between the process that owns the upstream and those that serve clients."""
