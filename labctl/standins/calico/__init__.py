"""In Calico's place, where Debian's archive is the only source: an agent, a CNI plugin and calicoctl."""
