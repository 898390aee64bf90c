#!/bin/sh
# Installed as /usr/local/bin/calicoctl.
PYTHONPATH=/usr/local/lib/labctl exec /usr/bin/python3 -m labctl.standins.calico.calicoctl "$@"
