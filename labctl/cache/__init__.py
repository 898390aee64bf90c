"""A folder that has everything a lab of the source upstream needs: filled once, served to machines and classrooms."""
