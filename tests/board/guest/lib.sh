# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=dash disable=SC2034,SC2119,SC2120,SC3045 # busybox has `read -t`
#
# What the jobs share. A result is a line on the console: `BOARD ok|not ok|skip - text`; the host counts them.

pass() { echo "BOARD ok - $BOARD_NAME: $*"; }
fail() { echo "BOARD not ok - $BOARD_NAME: $*"; }
skipped() { echo "BOARD skip - $BOARD_NAME: $*"; }

# What the kernel command line says to us.
parameters() {
	# shellcheck disable=SC2013 # words are what is wanted
	for word in $(cat /proc/cmdline); do
		case $word in
		board.job=*) export BOARD_JOBS="${word#*=}" ;;
		board.name=*) export BOARD_NAME="${word#*=}" ;;
		board.iommu=*) export BOARD_IOMMU="${word#*=}" ;;
		# Of several, most jobs use the first.
		board.edu=*) export BOARD_EDUS="${word#*=}" && export BOARD_EDU="${BOARD_EDUS%%,*}" ;;
		board.stage=*) export BOARD_STAGE="${word#*=}" ;;
		board.born=*) export BOARD_BORN="${word#*=}" ;;
		board.chain=*) export BOARD_CHAIN="${word#*=}" ;;
		board.with=*) export BOARD_WITH="${word#*=}" ;;
		esac
	done
}

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
		head -n 20 "$name.err" "$name.out" | cut -c 1-200 | sed 's/^/# /'
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
		head -n 20 "$@" | cut -c 1-200 | sed 's/^/# /'
		return 1
	fi
}

# Puts everything onto the results' disk: at the end of a job, and before another kernel takes over.
keep_results() {
	dmesg >"./dmesg"
	tar -cf "$BOARD_DISK" -C /results . && sync
}

# host VERB [WORD]...: asks `boot` for something, and waits for its word; what else it says is in $answer.
host() {
	echo "BOARD host $*"
	read -r -t 120 answer </dev/console || return
	case $answer in
	done*) answer=${answer#done} && answer=${answer# } ;;
	*) return 1 ;;
	esac
}

have_tool() { command -v iommu-dump >/dev/null; }

debugfs=/sys/kernel/debug/riscv-iommu
board=/sys/kernel/debug/iommu-board

# map FIELD IOVA: a field (pa, size, prot, data) of the mapping that begins at IOVA; was, the same of the file map.
map() { sed -n "s/^map iova=$2 .*$1=\([^ ]*\).*/\1/p" "$board/map"; }
was() { sed -n "s/^map iova=$2 .*$1=\([^ ]*\).*/\1/p" map; }

# A fault needs a moment: edu waits 100 ms before it starts, the driver's thread prints afterwards.
dma() { echo "$*" >"$board/dma" && sleep 1; }

# A storm of faults (see modules/iommu_board.c); needs with_domain "dev=$BOARD_EDUS". `storm VERB FIRST STEP LEN SECONDS` comes
# back at once; end_storm waits for its end, and prints how many transfers there were. "held" is over when it comes back.
storm() {
	echo "$*" >"$board/storm" &
	storm_pid=$!
	[ "$1" != held ] || wait "$storm_pid"
}
end_storm() {
	wait "$storm_pid"
	cat "$board/storm"
}

with_module() {
	insmod /modules/riscv_iommu_debugfs.ko || fail "riscv_iommu_debugfs does not load"
	registers=$(echo "$debugfs"/*/registers)
	says "the module shows one IOMMU's registers" '^0x0 8 0x[0-9a-f]*10$' "$registers"
}

with_domain() {
	insmod /modules/iommu_board.ko "dev=$BOARD_EDU" "$@" || fail "iommu_board does not load"
	cat "$board/map" >map.now
	cat map.now
	# `map` is what verify compares with: the paging domain's.
	grep -q domain=identity map.now || cp map.now map
}

# The questions that are asked again of each way to the hardware, and of the capture on the host. WAY names the
# files; what the answers have to be is in ../verify, since there is no JSON reader here.
ask() { # ask WAY [OPTION]...
	local way=$1
	shift
	expect "$way: list" 0 "$way.list" iommu-dump "$@" -J list
	expect "$way: regs" 0 "$way.regs" iommu-dump "$@" -J regs
	expect "$way: devices" 0 "$way.devices" iommu-dump "$@" -J devices
	expect "$way: faults --walk" 0 "$way.faults" iommu-dump "$@" -J faults --walk
	# Both spellings of a device, every access, and addresses at the edges of each range.
	expect "$way: translate --batch" 0 "$way.translate" iommu-dump "$@" -J translate --steps --batch /board/requests
	ask_reach "$@"
	expect "$way: check finds nothing bad" 0 "$way.check" iommu-dump "$@" -J check
	expect "$way: commands" 0 "$way.commands" iommu-dump "$@" -J commands
	expect "$way: counters" 0 "$way.counters" iommu-dump "$@" -J counters
}

# The device's mappings, and who reaches the page of one of them; a page of the kernel's code, which only devices in their identity
# domains reach; and the 64 KiB leaf, from its middle on, with the page before that is nobody's.
ask_reach() {
	expect "$way: mappings" 0 "$way.mappings" iommu-dump "$@" -J mappings "$BOARD_EDU"
	expect "$way: whomaps, the kernel" 0 "$way.whomaps-kernel" iommu-dump "$@" -J whomaps "$kernel"
	cp /proc/iomem .
	[ -e map ] || return
	expect "$way: whomaps, a page" 0 "$way.whomaps-page" iommu-dump "$@" -J whomaps "$(was pa 0x300001000)"
	expect "$way: whomaps, a range" 0 "$way.whomaps-range" iommu-dump "$@" -J whomaps "$(half_of 0x200000000)"
}
kernel=0x$(sed -n 's/^ *\([0-9a-f]*\)-.*Kernel code$/\1/p' /proc/iomem)
half_of() { printf '0x%x-0x%x' $(($(was pa "$1") + 0x8000)) $(($(was pa "$1") + 0x10fff)); }

# What people look at: the same questions without JSON, kept for the host to show, only their end is judged.
look() { # look WAY [OPTION]...
	local way=$1 found=0
	case $way in forbidden) found=7 ;; esac
	shift
	expect "$way: list as text" 0 "$way.list-text" iommu-dump "$@"
	expect "$way: regs as text" 0 "$way.regs-text" iommu-dump "$@" regs
	expect "$way: devices as text" 0 "$way.devices-text" iommu-dump "$@" devices
	expect "$way: faults as text" 0 "$way.faults-text" iommu-dump "$@" faults --walk
	expect "$way: mappings as text" 0 "$way.mappings-text" iommu-dump "$@" mappings "$BOARD_EDU"
	expect "$way: whomaps as text" 0 "$way.whomaps-text" iommu-dump "$@" whomaps "$kernel"
	expect "$way: check as text" $found "$way.check-text" iommu-dump "$@" check
	expect "$way: commands as text" 0 "$way.commands-text" iommu-dump "$@" commands
	expect "$way: counters as text" 0 "$way.counters-text" iommu-dump "$@" counters
	# Linux sets neither of them up.
	expect "$way: msi as text" 0 "$way.msi-text" iommu-dump "$@" msi "$BOARD_EDU"
	says "$way: there is no MSI page table" "no MSI page table" "$way.msi-text.out"
	expect "$way: requests as text" 0 "$way.requests-text" iommu-dump "$@" requests
	says "$way: there is no page-request queue" "no page-request queue" "$way.requests-text.out"
}
