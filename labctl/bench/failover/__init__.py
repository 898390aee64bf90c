"""bench failover: how long the application is unavailable, and how many requests are lost, when a part fails."""
