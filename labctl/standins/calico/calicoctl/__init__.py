"""calicoctl, as far as the lab needs it: ``python3 -m labctl.standins.calico.calicoctl``."""
