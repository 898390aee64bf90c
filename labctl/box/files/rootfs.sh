#!/bin/bash
# usage: rootfs.sh ROOT SUITE SOURCES APTCONF PACKAGES TREE
# The machines' root file system: Debian's packages without manuals and translations, TREE laid over them, and every
# service off but ssh. A machine is a system container: what a container cannot or need not do is masked.
set -euo pipefail
root=$1 suite=$2 sources=$3 aptconf=$4 packages=$5 tree=$6

packages() {
    local hooks=/usr/share/mmdebstrap/hooks/eatmydata extra=()
    # The hook saves the syncs to disk, but it wants dpkg-dev on the host.
    if [ -d "$hooks" ] && command -v dpkg-architecture >/dev/null; then extra+=(--hook-dir="$hooks"); fi
    mmdebstrap --mode=root --format=directory --variant=apt --aptopt="$aptconf" --include="$packages" "${extra[@]}" \
        --dpkgopt=force-unsafe-io \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/share/info/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-exclude=/usr/share/lintian/*' --dpkgopt='path-exclude=/usr/share/bug/*' \
        --dpkgopt='path-include=/usr/share/doc/*/copyright' --dpkgopt='path-include=/usr/share/locale/locale.alias' \
        "$suite" "$root" "$sources"
}

in_root() { env -i PATH=/usr/sbin:/usr/bin HOME=/root LC_ALL=C.UTF-8 chroot "$root" "$@"; }

lay_tree() {
    cp -r --no-preserve=mode,ownership "$tree/." "$root/"
    rm -f "$root/etc/hostname" "$root"/etc/ssh/ssh_host_* "$root/etc/apt/apt.conf.d/99mmdebstrap"
    rm -f "$root/etc/machine-id" "$root/var/lib/dbus/machine-id" "$root/etc/motd" "$root/etc/bird/bird.conf.dpkg-dist"
    : >"$root/etc/machine-id"
    # These would change the host's own kernel from inside a container. A lab's own files in /etc/sysctl.d still count.
    rm -f "$root"/usr/lib/sysctl.d/*.conf
    mkdir -p "$root/etc/systemd/system-generators"
    ln -sfn /dev/null "$root/etc/systemd/system-generators/systemd-ssh-generator"
    mkdir -p "$root/etc/labctl/ssh" "$root/opt/cni" "$root/opt/labctl/images" "$root/etc/cni/net.d" \
        "$root/var/lib/containerd" "$root/var/lib/kubelet" "$root/var/lib/etcd" "$root/etc/kubernetes/manifests"
    ln -sfn ../../usr/lib/cni "$root/opt/cni/bin"
    # Names are found in /etc/hosts and by what the kernel knows, never by waiting for a name server that is not there.
    sed -i 's/^hosts:.*/hosts: files myhostname dns/' "$root/etc/nsswitch.conf"
}

user() {
    in_root useradd --create-home --shell /bin/bash --password '*' vagrant
    in_root usermod --password '*' root
    printf 'vagrant ALL=(ALL) NOPASSWD: ALL\nDefaults:vagrant !requiretty\n' >"$root/etc/sudoers.d/vagrant"
    chmod 440 "$root/etc/sudoers.d/vagrant"
}

# Units that exist are switched off; none of them is an error when a release of Debian lacks it.
services() {
    local unit
    for unit in containerd etcd haproxy bird keepalived nftables docker-registry wrk kubelet labctl-registry \
        e2scrub_reap systemd-networkd systemd-timesyncd systemd-resolved systemd-pstore cron remote-fs.target; do
        in_root systemctl disable "$unit" >/dev/null 2>&1 || true
    done
    in_root systemctl disable ssh.socket >/dev/null 2>&1 || true
    for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer man-db.timer \
        getty.target getty@tty1.service console-getty.service container-getty@.service getty-static.service \
        systemd-networkd-wait-online.service systemd-udevd.service systemd-udev-trigger.service \
        systemd-udev-settle.service systemd-udevd-control.socket systemd-udevd-kernel.socket systemd-modules-load.service \
        systemd-user-sessions.service systemd-binfmt.service systemd-hwdb-update.service systemd-firstboot.service \
        systemd-machine-id-commit.service systemd-random-seed.service systemd-update-utmp.service \
        systemd-journal-catalog-update.service systemd-update-done.service systemd-tpm2-setup.service \
        systemd-tpm2-setup-early.service systemd-pcrphase.service systemd-remount-fs.service ldconfig.service \
        dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount \
        sys-fs-fuse-connections.mount sshd-keygen.service proc-sys-fs-binfmt_misc.automount modprobe@.service; do
        ln -sfn /dev/null "$root/etc/systemd/system/$unit"
    done
    # Nobody logs in through logind; it is still there for who asks it (halt and reboot do).
    rm -f "$root/usr/lib/systemd/system/multi-user.target.wants/systemd-logind.service"
    mkdir -p "$root/etc/tmpfiles.d"
    ln -sfn /dev/null "$root/etc/tmpfiles.d/systemd-nologin.conf"
    in_root systemctl enable ssh.service
    in_root systemctl set-default multi-user.target
}

packages
lay_tree
user
services
rm -rf "$root"/var/cache/apt/*.bin "$root"/var/cache/debconf/*-old "$root"/var/log/*.log "$root/var/log/apt"
