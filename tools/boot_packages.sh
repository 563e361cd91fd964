#!/bin/sh
# Debian packages of the embedded AWS's levels namespace and nspawn, and with the word qemu of that one: installed where that
# can be done, named elsewhere.
set -eu
packages='iproute2 mmdebstrap squashfs-tools systemd-container util-linux'
commands='ip mmdebstrap mksquashfs systemd-nspawn unshare'
if [ "${1:-}" = qemu ]; then
    packages="$packages e2fsprogs qemu-system-x86 qemu-utils"
    commands="$commands mkfs.ext4 qemu-img qemu-system-x86_64"
fi
missing=''
for command in $commands; do
    command -v "$command" >/dev/null || missing="$missing $command"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing the Debian packages that$missing come from"
    # shellcheck disable=SC2086
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages; } >/dev/null
else
    echo "these tests need$missing (Debian packages: $packages)" >&2
    exit 1
fi
