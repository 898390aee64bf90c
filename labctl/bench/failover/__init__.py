"""bench failover: how long the application is away, and how much is lost, when a part of a running lab dies."""
