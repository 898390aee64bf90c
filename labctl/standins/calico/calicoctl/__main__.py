"""Starts calicoctl."""

import sys

from labctl.standins.calico.calicoctl.commands import main

sys.exit(main(sys.argv[1:]))
