# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=busybox
#
# What the jobs share. A result is a line on the console: `BOARD ok|not ok|skip - text`; the host counts them.

pass() { echo "BOARD ok - $BOARD_IOMMU: $*"; }
fail() { echo "BOARD not ok - $BOARD_IOMMU: $*"; }
skipped() { echo "BOARD skip - $BOARD_IOMMU: $*"; }

# check TEXT COMMAND...: a test that passes if the command does.
check() {
	local text=$1
	shift
	if "$@"; then pass "$text"; else fail "$text"; fi
}

# run NAME COMMAND...: keeps stdout, stderr and exit status as NAME.out, .err and .rc for the host.
run() {
	local name=$1
	shift
	timeout 60 "$@" >"$name.out" 2>"$name.err"
	rc=$?
	echo "$rc" >"$name.rc"
	return "$rc"
}

# expect TEXT STATUS NAME COMMAND...: runs it, and tests the exit status; shows what it said if that is wrong.
expect() {
	local text=$1 want=$2 name=$3
	shift 3
	run "$name" "$@"
	if [ "$rc" = "$want" ]; then
		pass "$text"
	else
		fail "$text (exit $rc, not $want)"
		head -n 20 "$name.err" "$name.out" | sed 's/^/# /'
		return 1
	fi
}

# says TEXT PATTERN FILE...: the files hold a line that matches the extended regular expression.
says() {
	local text=$1 pattern=$2
	shift 2
	if grep -Eqi -- "$pattern" "$@"; then
		pass "$text"
	else
		fail "$text (no line matches: $pattern)"
		head -n 20 "$@" | sed 's/^/# /'
		return 1
	fi
}

have_tool() { command -v iommu-dump >/dev/null; }

debugfs=/sys/kernel/debug/riscv-iommu
board=/sys/kernel/debug/iommu-board

# map FIELD IOVA: a field (pa, size, prot, data) of the mapping that begins at IOVA.
map() { sed -n "s/^map iova=$2 .*$1=\([^ ]*\).*/\1/p" "$board/map"; }

# A fault needs a moment: edu waits 100 ms before it starts, the driver's thread prints afterwards.
dma() { echo "$*" >"$board/dma" && sleep 1; }
