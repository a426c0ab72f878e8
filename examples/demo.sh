#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A tour of iommu-dump on a recorded board: usage: demo.sh PATH-OF-IOMMU-DUMP
set -eu
dump=$1
capture=$(dirname "$0")/demo.core

# A status of 7 is a finding, not a failure: the walk of a request that faults ends with it.
show() {
	printf '\n\033[1m$ iommu-dump -i demo.core%s\033[0m\n' "$(printf ' %s' "$@")"
	"$dump" -i "$capture" "$@" || [ $? = 7 ]
}

[ -t 1 ] || show() {
	printf '\n$ iommu-dump -i demo.core%s\n' "$(printf ' %s' "$@")"
	"$dump" -i "$capture" "$@" || [ $? = 7 ]
}

cat <<'EOT'
demo.core was saved by `iommu-dump --save` on Linux, on QEMU's RISC-V board with
its IOMMU. A driver had mapped a few pages for a device, which then wrote to a
page that is mapped read-only, and read from an address that is not mapped.
EOT
show list
show devices
show faults --walk
show mappings 00:01.0
show whomaps 0x84c00000+0x1000
show translate 00:01.0 0x100200000
show translate 00:01.0 0x200000000 --access w
printf '\nThe line that the kernel printed of the second fault, in words:\n'
printf '\n$ iommu-dump explain "Fault 13 devid: 0x8 iotval: 777000 iotval2: 777000"\n'
"$dump" explain "Fault 13 devid: 0x8 iotval: 777000 iotval2: 777000"
printf '\nTo try it: build-demo/iommu-dump -i examples/demo.core ...; man man/iommu-dump.8\n'
