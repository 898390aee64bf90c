"""A lab's machines on LXC, VirtualBox or libvirt, each provider behind one interface (provider.py)."""
