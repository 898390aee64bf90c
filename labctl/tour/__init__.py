"""The article's walkthrough on the running lab: stops (stops/), their runner, the exercise, and the handout."""
