"""The article's walkthrough on the running lab: stops (stops/), their runner, and the exercise."""
