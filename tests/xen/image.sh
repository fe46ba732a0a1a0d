# shellcheck shell=bash
# What a lab host boots from; read in by `lab`.
#
# Two parts, each in a directory of the cache named by a hash of what goes into
# it, so that a change of a script costs two seconds and not a new installation:
#
#   base-HASH/  from the package lists alone
#     xen, vmlinuz, dom0.ext4      hypervisor, Dom0's kernel and root
#     initrd.gz, guest.gz          busybox and modules, for Dom0 and for guests
#     manifest                     versions of the packages
#   boot-HASH/  from the scripts of this directory, on top of a base
#     initrd.gz                    base's, with init and everything below dom0/
#     key, key.pub                 the key that opens Dom0's sshd
#
# An initramfs may be several archives one after the other, so the second part
# only appends; what is below dom0/ reaches Dom0's root at each boot.

readonly SUITE=bookworm
readonly IMAGE_SIZE=2G

# Modules, by who loads them.
readonly INITRD_MODULES=(virtio_pci virtio_blk ext4 crc32c_generic crc32c_intel)
readonly DOM0_MODULES=(xen-netback xen-blkback xen-gntdev xen-gntalloc xen-evtchn
	xen-privcmd xenfs bridge loop tun virtio_net virtio_rng)
readonly GUEST_MODULES=(xen-netfront xen-blkfront ext4 crc32c_generic)

# list FILE: its words, without comments
list() { sed 's/#.*//' "$1" | xargs -n 1; }

# pack DIR: DIR as a compressed initramfs on stdout, all of it root's
pack() (
	cd "$1" && find . -mindepth 1 -print0 | sort -z |
		cpio -0 -o -H newc -R 0:0 --quiet | gzip -1
)

# take_modules ROOT VERSION DEST MODULE...: copies modules of the kernel that is
# unpacked in ROOT, and those that they need, to DEST
take_modules() {
	local root=$1 version=$2 dest=$3 word path m
	shift 3
	mkdir -p "$dest/lib/modules/$version"
	for m; do
		modprobe -d "$root" -S "$version" --show-depends "$m" | while read -r word path _; do
			case $word in
			insmod) install -D -m 644 "$path" "$dest/${path#"$root"/}" ;;
			esac
		done
	done
	cp "$root/lib/modules/$version"/modules.{order,builtin,builtin.modinfo} \
		"$dest/lib/modules/$version/"
	depmod -b "$dest" "$version"
}

# unpack_kernel VMLINUZ: the ELF image inside, on stdout. The domain builder is
# faster with it, as nothing is unpacked under emulation. The
# fields are those of the kernel's documentation x86/boot.rst.
unpack_kernel() {
	local setup_sects offset length from unpack
	setup_sects=$(od -An -tu1 -j $((0x1f1)) -N 1 "$1")
	offset=$(od -An -tu4 -j $((0x248)) -N 4 "$1")
	length=$(od -An -tu4 -j $((0x24c)) -N 4 "$1")
	from=$(((setup_sects + 1) * 512 + offset))
	case $(od -An -tx1 -j $from -N 4 "$1") in
	' 02 21 4c 18') unpack='lz4 -dc' ;;
	' fd 37 7a 58') unpack='xz -dc' ;;
	*) echo "$1 is packed in an unknown way" >&2; return 1 ;;
	esac
	# the payload ends in its unpacked size, which is no part of the stream
	dd if="$1" bs=1M iflag=skip_bytes,count_bytes skip=$from count=$((length - 4)) status=none |
		$unpack
}

# busybox_tree ROOT DIR: the directories and the one program of an initramfs
busybox_tree() {
	mkdir -p "$2"/{bin,dev,etc,mnt,new,proc,root,run,sbin,sys,tmp,www}
	cp "$1/bin/busybox" "$2/bin/busybox"
	ln -sf busybox "$2/bin/sh"
}

# build_base DIR: fills DIR; its progress goes to stdout
build_base() {
	local dir=$1 root=$1/root boot=$1/unpacked kernel cloud r=0 p1 p2
	local -a opts=(--quiet --aptopt='APT::Install-Recommends "false"')

	echo "installing Dom0 and unpacking the kernels ($SUITE)"
	timeout 600 mmdebstrap "${opts[@]}" --variant=minbase \
		--include="$(list packages.dom0 | paste -sd,)" $SUITE "$root" </dev/null &
	p1=$!
	timeout 600 mmdebstrap "${opts[@]}" --variant=extract \
		--include="$(list packages.boot | paste -sd,)" $SUITE "$boot" </dev/null &
	p2=$!
	wait $p1 || r=1
	wait $p2 || r=1
	[ $r = 0 ] || return 1

	kernel=$(cd "$boot/lib/modules" && ls -d -- *[0-9]-amd64)
	cloud=$(cd "$boot/lib/modules" && ls -d -- *-cloud-amd64)
	depmod -b "$boot" "$kernel"
	depmod -b "$boot" "$cloud"
	gzip -dc "$boot"/boot/xen-*-amd64.gz >"$dir/xen"
	cp "$boot/boot/vmlinuz-$kernel" "$dir/vmlinuz"

	echo "packing the initramfs of Dom0 and of guests"
	busybox_tree "$root" "$dir/tree/initrd"
	take_modules "$boot" "$kernel" "$dir/tree/initrd" "${INITRD_MODULES[@]}"
	pack "$dir/tree/initrd" >"$dir/initrd.gz"
	busybox_tree "$root" "$dir/tree/guest"
	take_modules "$boot" "$cloud" "$dir/tree/guest" "${GUEST_MODULES[@]}"
	pack "$dir/tree/guest" >"$dir/guest.gz"

	echo "finishing Dom0's root"
	take_modules "$boot" "$kernel" "$root" "${DOM0_MODULES[@]}"
	mkdir -p "$root/lab/boot"
	unpack_kernel "$boot/boot/vmlinuz-$cloud" >"$root/lab/boot/vmlinux"
	chroot "$root" useradd --system --user-group --home-dir /var/lib/lauxen \
		--shell /usr/sbin/nologin _lauxen
	# Xen writes guests' consoles here and creates no directories
	mkdir -p "$root/var/log/xen/console" "$root/var/lib/xen" "$root/etc/dropbear"
	rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/*
	{
		echo "kernel $kernel, guests $cloud"
		chroot "$root" dpkg-query -W
	} >"$dir/manifest"

	echo "making the image"
	truncate -s $IMAGE_SIZE "$dir/dom0.ext4"
	mke2fs -q -F -t ext4 -O ^has_journal,^metadata_csum -E lazy_itable_init=1 \
		-d "$root" "$dir/dom0.ext4" || return 1
	rm -rf "$root" "$boot" "$dir/tree"
}

# build_boot DIR BASE: fills DIR with what the scripts make of BASE
build_boot() {
	local dir=$1 base=$2 tree=$1/tree
	ssh-keygen -q -t ed25519 -N '' -C lab -f "$dir/key"

	mkdir -p "$tree/guest" "$tree/initrd/dom0"
	install -m 755 guest/init "$tree/guest/init"
	install -m 755 initrd/init "$tree/initrd/init"
	cp -R dom0/. "$tree/initrd/dom0/"
	install -D -m 600 "$dir/key.pub" "$tree/initrd/dom0/root/.ssh/authorized_keys"
	chmod 700 "$tree/initrd/dom0/root" "$tree/initrd/dom0/root/.ssh"
	mkdir -p "$tree/initrd/dom0/lab/boot"
	{ cat "$base/guest.gz" && pack "$tree/guest"; } >"$tree/initrd/dom0/lab/boot/initrd.gz"
	{ cat "$base/initrd.gz" && pack "$tree/initrd"; } >"$dir/initrd.gz"
	rm -rf "$tree"
}
