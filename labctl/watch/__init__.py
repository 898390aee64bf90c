"""The lab live: facts as they change (follow), verify's verdict (watcher), on a page (server) or in a terminal."""
