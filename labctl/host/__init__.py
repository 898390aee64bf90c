"""This host: files, programs, processes and networks, through one object that tests replace."""
