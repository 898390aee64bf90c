#!/bin/bash
# usage: buildroot.sh ROOT SUITE SOURCES APTCONF PACKAGES
# The compilers' root file system. Packages are only unpacked ("extract"): compilers need no maintainer scripts.
set -euo pipefail
root=$1 suite=$2 sources=$3 aptconf=$4 packages=$5
exec mmdebstrap --mode=root --format=directory --variant=extract --aptopt="$aptconf" --include="$packages" \
    "$suite" "$root" "$sources"
