"""Documents about the lab that stand alone: the report on a verify, and the frame of every HTML page."""
