"""Where the software comes from: publishers, versions and the checksums that are pinned."""
