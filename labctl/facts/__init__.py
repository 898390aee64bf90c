"""What programs print, as data. Standard library only: these files also run on the machines."""
