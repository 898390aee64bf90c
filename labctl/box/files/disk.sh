#!/bin/bash
# usage: disk.sh BOX SOURCES APTCONF TREE VAGRANTKEY WORK OUT   (in namespaces of its own: in-namespace.sh)
# The box as a disk that boots by itself: its root file system with Debian's kernel, TREE laid over it, in one ext4
# partition made by mke2fs -d, and GRUB before it. No loop device, no mount of the disk, no emulator. OUT is the raw disk.
set -euo pipefail
box=$1 sources=$2 aptconf=$3 tree=$4 vagrantkey=$5 work=$6 out=$7
root=$work/root
uuid=$(cat /proc/sys/kernel/random/uuid)
megabytes=16384 # the disk's size for the machine; on the host it takes what is in it

say() { echo "== $1"; }
in_root() { env -i PATH=/usr/sbin:/usr/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive chroot "$root" "$@"; }

copy() {
    say "copying the box"
    mkdir -p "$root"
    cp -a --reflink=auto "$box/rootfs/." "$root/"
    cp -a --reflink=auto "$box/containerd/." "$root/var/lib/containerd/"
}

# What a container has no use for, and a machine needs.
unmask() {
    local unit
    for unit in systemd-udevd.service systemd-udev-trigger.service systemd-udevd-control.socket systemd-udevd-kernel.socket \
        systemd-modules-load.service systemd-remount-fs.service systemd-random-seed.service systemd-machine-id-commit.service \
        modprobe@.service dev-hugepages.mount dev-mqueue.mount sys-kernel-config.mount; do
        rm -f "$root/etc/systemd/system/$unit"
    done
}

kernel() {
    say "installing the kernel"
    mount --make-rprivate /
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    mount -t tmpfs tmpfs "$root/run"
    mount --bind /etc/resolv.conf "$root/etc/resolv.conf"
    mount --bind /etc/hosts "$root/etc/hosts"
    cp "$aptconf" "$root/run/apt.conf"
    cp "$sources" "$root/run/sources.list"
    local options=(-o Dir::Etc::SourceList=/run/sources.list -o Dir::Etc::SourceParts=/dev/null
        -o Dpkg::Options::=--force-unsafe-io -o Dpkg::Options::=--path-exclude=/usr/share/doc/*
        -o Dpkg::Options::=--path-exclude=/usr/share/man/* -o Dpkg::Options::=--path-exclude=/usr/share/locale/*)
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" # nothing starts here
    chmod 755 "$root/usr/sbin/policy-rc.d"
    in_root env APT_CONFIG=/run/apt.conf apt-get "${options[@]}" update
    in_root env APT_CONFIG=/run/apt.conf apt-get "${options[@]}" install --yes --no-install-recommends \
        "linux-image-cloud-$(in_root dpkg --print-architecture)" initramfs-tools zstd udev systemd-timesyncd
    in_root apt-get clean
    rm -rf "$root/usr/sbin/policy-rc.d" "$root"/var/lib/apt/lists/*
    umount "$root/etc/hosts" "$root/etc/resolv.conf" "$root/run" "$root/proc"
    umount --recursive --lazy "$root/dev"
}

settings() {
    say "settings of a virtual machine"
    cp -r --no-preserve=mode,ownership "$tree/." "$root/"
    printf 'UUID=%s / ext4 defaults,noatime 0 1\n' "$uuid" >"$root/etc/fstab"
    in_root systemctl enable systemd-networkd.service >/dev/null 2>&1
    in_root systemctl enable systemd-timesyncd.service >/dev/null 2>&1
    rm -f "$root/etc/labctl/ssh"/*
    # Vagrant's well-known key, for its first log-in; Vagrant then puts a key of its own in that one's place.
    install -d -m 700 "$root/home/vagrant/.ssh"
    install -m 600 "$vagrantkey" "$root/home/vagrant/.ssh/authorized_keys"
    in_root chown -R vagrant:vagrant /home/vagrant/.ssh
}

# GRUB's core reads one menu: boot the one kernel, at once.
boot_menu() {
    local version
    version=$(basename "$root"/boot/vmlinuz-*)
    mkdir -p "$root/boot/grub"
    cat >"$root/boot/grub/grub.cfg" <<MENU
set timeout=0
linux /boot/$version root=UUID=$uuid ro net.ifnames=0 console=tty0 console=ttyS0
initrd /boot/initrd.img-${version#vmlinuz-}
boot
MENU
}

little_endian() { # the number's four bytes, lowest first
    local shift
    for shift in 0 8 16 24; do printf '%b' "\\x$(printf %02x $(($1 >> shift & 255)))"; done
}

# The partition table of a PC: one bootable Linux partition from sector 2048 to the end, three empty entries, 55 aa.
partition_table() {
    printf '\x80\x20\x21\x00\x83\xfe\xff\xff'
    little_endian 2048
    little_endian $((megabytes * 2048 - 2048))
    head -c 48 /dev/zero
    printf '\x55\xaa'
}

# Only features that every GRUB of this decade reads.
features=none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,flex_bg,sparse_super,large_file,huge_file,dir_nlink,extra_isize

disk() {
    say "making the disk"
    truncate --size="${megabytes}M" "$out"
    mke2fs -q -F -t ext4 -O "$features" -m 1 -U "$uuid" -d "$root" -E offset=$((2048 * 512)),lazy_itable_init=1 \
        "$out" "$((megabytes - 1))M"
    grub-mkimage --format=i386-pc --output="$work/core.img" --prefix='(hd0,msdos1)/boot/grub' \
        biosdisk part_msdos ext2 normal linux configfile echo test
    # The first sector's code loads what follows it (sector 1 on), before the partition begins.
    dd if=/usr/lib/grub/i386-pc/boot.img of="$out" bs=440 count=1 conv=notrunc status=none
    dd if="$work/core.img" of="$out" bs=512 seek=1 conv=notrunc status=none
    partition_table | dd of="$out" bs=1 seek=446 conv=notrunc status=none
}

copy
unmask
kernel
settings
boot_menu
disk
say "done"
