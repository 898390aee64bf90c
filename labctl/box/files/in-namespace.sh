#!/bin/bash
# usage: in-namespace.sh COMMAND…   run it so that nothing outlives it: no process and no mount. When the
# caller dies, setpriv's signal kills unshare, unshare kills the command, and with the command, which is
# process 1 of its own namespace, end all its children and every mount that they made.
# What the box holds must be readable in a machine, whatever the caller's umask is.
umask 022
exec setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc -- "$@"
