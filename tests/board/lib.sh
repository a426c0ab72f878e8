# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034 # what is unused here is used by the scripts that source this
#
# What the board's scripts share: where things live, and how a command gets into the chroot.
# Source it, do not run it.

board_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top_dir=$(cd "$board_dir/../.." && pwd)

# Everything that is made goes below one cache folder, never into the source tree: a clean clone stays
# clean, and a second run finds the chroot again.
cache_dir=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/riscv-iommu-tools
board_cache=$cache_dir/board
chroot_dir=$board_cache/chroot
guest_dir=$board_cache/guest            # unpacked riscv64 packages that go into the guest
firmware_dir=$board_cache/firmware      # UEFI, for machines without a device tree
distro_dir=$board_cache/distro          # a riscv64 system for the boot "distro", see prepare-distro
stamp_file=$board_cache/chroot.stamp
work_dir=${BOARD_WORK:-$board_cache/work}  # build trees, initramfs, logs, results

export LC_ALL=C.UTF-8

say() { printf 'board: %s\n' "$*" >&2; }
die() { printf 'board: error: %s\n' "$*" >&2; exit 1; }

# The one way out when the board cannot be had here: automake's "skipped", and one line that says why.
skip() { printf 'board: SKIPPED: %s\n' "$*" >&2; exit 77; }

# Runs a command, up to three times, with a pause in between: mirrors are sometimes in the middle of a sync.
retry() {
	local try
	for try in 1 2 3; do
		"$@" && return 0
		[ "$try" = 3 ] || { say "try $try failed: $1 ...; once more in $((try * 15)) s"; sleep $((try * 15)); }
	done
	return 1
}

# in_chroot [-b HOSTDIR:DIR]... [-C DIR] COMMAND [ARG]...
# Binds live in a mount namespace of their own, so nothing is left mounted whatever happens to us. With
# in_chroot_exec=1 there is no fork on the way: after `in_chroot_exec=1 in_chroot ... &`, $! is COMMAND's pid.
in_chroot() {
	local binds=() dir=/
	while :; do
		case $1 in
		-b) binds+=("$2"); shift 2 ;;
		-C) dir=$2; shift 2 ;;
		*) break ;;
		esac
	done
	# shellcheck disable=SC2016 # expanded inside
	${in_chroot_exec:+exec} unshare --mount --propagation private bash -c '
		root=$1 dir=$2 n=$3; shift 3
		mount -t proc proc "$root/proc"
		mount --rbind /dev "$root/dev"
		while [ "$n" -gt 0 ]; do
			mkdir -p "$root/${1#*:}"
			mount --bind "${1%%:*}" "$root/${1#*:}" || exit 1
			shift; n=$((n - 1))
		done
		exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
			bash -c '\''cd "$0" && exec "$@"'\'' "$dir" "$@"
	' in_chroot "$chroot_dir" "$dir" "${#binds[@]}" "${binds[@]}" "$@"
}

# The kernel release that `prepare` unpacked.
kernel_release() { cat "$board_cache/kernel-release"; }

# Guest packages are unpacked, not installed: a file may be in /lib, or in /usr/lib.
guest_file() {
	local f
	for f in "$guest_dir/usr$1" "$guest_dir$1"; do
		[ -e "$f" ] && { printf '%s\n' "$f"; return 0; }
	done
	return 1
}

# The files of the working tree, changes not yet committed included, each with a zero byte behind it. In an unpacked release there is no
# git: take all.
list_files() {
	if git -C "$top_dir" rev-parse --git-dir >/dev/null 2>&1; then
		git -C "$top_dir" ls-files -z --cached --others --exclude-standard |
			(cd "$top_dir" && while IFS= read -r -d '' f; do [ -e "$f" ] && printf '%s\0' "$f"; done)
	else
		(cd "$top_dir" && find . -type f -not -path './.git/*' -print0)
	fi
}

# The mirror is the one this machine already uses, so no host is named here. Security and third-party
# archives have other labels.
find_mirror() {
	# shellcheck disable=SC2016 # apt expands these, not the shell
	apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
		awk -F'|' '$1 == "Debian" && $2 == "Debian" { print $3; exit }'
}

# find_mirror, with the lists fetched if they never were or were cleaned away. Prints nothing where there is none.
debian_mirror() {
	local mirror=${BOARD_MIRROR:-$(find_mirror)}
	if [ -z "$mirror" ]; then
		retry apt-get update >&2 || true
		mirror=$(find_mirror)
	fi
	printf '%s\n' "$mirror"
}
