"""bench path: the article's two layouts on one lab, by turns: what is in the way of a request, and what it costs."""
