"""Documents about the lab: reports, the last verify and tour, the support bundle, and versions."""
