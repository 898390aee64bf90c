"""Pictures of the lab: one description (picture.py), drawn as SVG, Mermaid, DOT and text."""
