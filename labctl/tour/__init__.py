"""The article's walk on the running lab: stops (stops/), the guide who runs their commands, the runner, the handout."""
