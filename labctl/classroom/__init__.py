"""The classroom: many labs, the seats, on one server, each with networks, limits and a directory of its own."""
