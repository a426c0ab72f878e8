# SPDX-License-Identifier: FSFAP
# shellcheck shell=dash
# What fits at the cursor, for bash and zsh alike: both put this text before their own (Makefile.am). Commands, options and what they
# take are read from --help, so that there is no second list of them. Nothing here writes; a program that hangs is ended.

_iommu_ask() {
	PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin" timeout -k 1 2 "$@" </dev/null 2>/dev/null | head -c 2000000
}

# _iommu_plan PROGRAM WORD...: the last WORD is at the cursor. Prints lines:
#   a WORD, u WORD  is on the line already and says which IOMMUs are meant
#   w WORD<tab>...  fits, with what it means;  p WORD: the same, and more follows it
#   f               a file fits
#   ? LIST|LEFT|RIGHT  each of a list that only the program has, between LEFT and RIGHT
_iommu_plan() {
	local help
	help=$(_iommu_ask "$1" --help)
	shift
	# shellcheck disable=SC2016 # awk's, not the shell's
	printf '%s\n' "$help" | LC_ALL=C awk '
	function scoped(name,   n, i, list) { # a section that names commands holds their options
		n = split(name, list, /, */)
		for (i = 1; i <= n; i++)
			if (!(list[i] in usage)) return ""
		return "," name ","
	}
	# A row has two columns with a gap between them, or, where the left one is full, a space at the place of the gap.
	function gap(line) { sub(/^ */, "", line); return match(line, /   */) }
	function left_of(line) {
		if (!gap(line)) line = substr(line, 27, 1) == " " ? substr(line, 1, 26) : line
		sub(/^ */, "", line); sub(/   *.*/, "", line)
		return line
	}
	function right_of(line) {
		if (!gap(line)) return substr(line, 27, 1) == " " ? substr(line, 28) : ""
		sub(/^ */, "", line); sub(/^.[^ ]*( [^ ]+)*   */, "", line)
		return line
	}
	function row(line,   left, right, words, n, i) { # "  -x, --long ARG   text"
		left = left_of(line); right = right_of(line)
		n = split(left, words, /,? /)
		options++
		where[options] = scope; text[options] = right; arg[options] = ""
		for (i = 1; i <= n; i++) {
			if (words[i] ~ /^--/) long[options] = words[i]
			else if (words[i] ~ /^-/) short[options] = words[i]
			else arg[options] = words[i]
		}
	}
	function command_row(line,   list, n, i, args) {
		text_of[commands + 1] = right_of(line)
		if (line ~ /\(default\)$/) standard = 1
		n = split(left_of(line), list, / /)
		order[++commands] = list[1]
		if (standard == 1) { fallback = list[1]; standard = 2 }
		args = ""
		for (i = 2; i <= n && list[i] !~ /^-/; i++) args = args (i > 2 ? " " : "") list[i]
		usage[list[1]] = args
	}
	function read_help(   line, part, last) {
		while ((getline line < "-") > 0) {
			if (line ~ /^[A-Za-z][A-Za-z, ]*:$/) {
				part = substr(line, 1, length(line) - 1)
				scope = scoped(part)
			} else if (line == "") scope = part = ""
			else if (part == "Commands" && line ~ /^  [a-z]/) command_row(line)
			else if (part == "Columns" && line ~ /^  [A-Z]/) { split(line, last, / +/); column[++columns] = last[2] }
			else if (line ~ /^ +-/ && part != "Keys") row(line)
			else if (line ~ /^               / && options) {
				sub(/^ +/, "", line)
				text[options] = text[options] (text[options] == "" ? "" : " ") line
			}
		}
	}
	function here(i, command) { return where[i] == "" || index(where[i], "," command ",") || index(where[i], ", " command ",") }
	function find(name, command,   i, found) { # what the command has itself comes after what all have, or before it
		for (i = 1; i <= options; i++)
			if ((long[i] == name || short[i] == name) && (!found || here(i, command) && !here(found, command))) found = i
		return found
	}
	function fits(w) { return substr(w, 1, length(cur)) == cur }
	function word(w, meaning) { if (fits(w) && !said[w]++) print "w " w "\t" meaning }
	function ask(list, left, right) { print "? " list "|" left "|" right }
	# The words that a text lists: "leave out: stop, drain", "info, warning (default) or error: from this on ..."
	function listed(s, left,   n, i, list) {
		if (s ~ /^leave out: /) sub(/^[^:]*: /, "", s); else sub(/:.*/, "", s)
		gsub(/\([^)]*\)/, "", s)
		n = split(s, list, /[ ,]+/)
		for (i = 1; i <= n; i++) if (list[i] != "or" && list[i] ~ /^[a-z]+$/) word(left list[i])
	}
	function value(i, left,   kind, n, k, list, rest) { # what option i takes; left stands before it in the word
		kind = arg[i]
		rest = substr(cur, length(left) + 1)
		n = split(kind, list, /\|/)
		for (k = 1; k <= n; k++) {
			sub(/^\[NAME=\]/, "", list[k])
			if (list[k] ~ /^[a-z]+$/) word(left list[k])
		}
		if (kind ~ /^(FILE|DTB|OUT|IMAGE)/) print "f"
		else if (kind == "METHOD") { ask("methods", left, ""); word(left "help", "list them") }
		else if (kind == "KEY=VALUE") {
			if (match(rest, /^[a-z_.-]+=/)) ask("values", left, substr(rest, 1, RLENGTH - 1))
			else { ask("parameters", left, "="); word(left "help", "list them") }
		} else if (kind == "NAME|BASE") ask("iommus", left, "")
		else if (kind ~ /^\[IOMMU:\]/) {
			if (match(rest, /^.*:/)) left = left substr(rest, 1, RLENGTH)
			ask("registers", left, "=")
		} else if (kind ~ /^\[NAME=\]/) {
			ask("iommus", left, "=")
			if (match(rest, /^[^=]*=/)) { left = left substr(rest, 1, RLENGTH); word(left "block"); word(left "leave") }
		} else if (kind == "DEVICE") ask("devices", left, "")
		else if (kind == "DEVICE:IOVA") ask("devices", left, ":")
		else if (kind == "LEVEL" || kind == "TYPE") { listed(text[i], left); if (text[i] ~ /; help /) word(left "help") }
		else if (kind ~ /^STAGE/) {
			if (match(rest, /^.*,/)) left = left substr(rest, 1, RLENGTH)
			listed(text[i], left)
		} else if (kind == "COLUMN")
			for (k = 1; k <= columns; k++) word(left (rest ~ /^-/ ? "-" : "") column[k])
	}
	function keep(name, i, v) { # what a question to iommu-dump has to say, too
		if (v ~ /\n/) return
		if (arg[i] == "NAME|BASE") { print "u " long[i] "=" v; return }
		if (arg[i] == "METHOD" && v ~ /^[rwx]$/) return
		if (long[i] ~ /^--(input|access|option|base|reg)$/) print "a " long[i] "=" v
	}
	function operand(command, n,   kinds, count, kind) {
		count = split(usage[command], kinds, / /)
		if (n > count && (!count || kinds[count] !~ /\.\.\./)) return
		kind = kinds[n > count ? count : n]
		gsub(/[][.]/, "", kind)
		if (kind == "DEVICE") ask("devices", "", "")
		else if (kind == "NAME") ask("registers", "", "")
		else if (kind == "A" || kind == "B" || kind == "IMAGE" || kind == "IN") print "f"
	}
	function take(i, name, v) { # 1: the argument of option i, word v, is the one at the cursor
		if (v < n) { keep(name, i, ARGV[v]); return 0 }
		return 1
	}
	function offer_values(name, left,   i) {
		for (i = 1; i <= options; i++)
			if ((long[i] == name || short[i] == name) && here(i, command != "" ? command : fallback)) { value(i, left); hit = 1 }
		if (!hit) value(find(name, command), left)
	}
	function options_before(   w, i, k, c, e) { # 1: the cursor is at the argument of an option
		for (w = 1; w < n; w++) {
			if (plain || ARGV[w] !~ /^-./) {
				if (commands && command == "") command = ARGV[w]; else operands++
			} else if (ARGV[w] == "--") plain = 1
			else if (ARGV[w] ~ /^--/) {
				e = index(ARGV[w], "=")
				pending = e ? substr(ARGV[w], 1, e - 1) : ARGV[w]
				i = find(pending, command)
				if (!i || arg[i] == "") continue
				if (e) keep(pending, i, substr(ARGV[w], e + 1)); else if (take(i, pending, ++w)) return 1
			} else for (k = 2; k <= length(ARGV[w]); k++) {
				c = pending = "-" substr(ARGV[w], k, 1)
				i = find(c, command)
				if (!i || arg[i] == "") continue
				if (k < length(ARGV[w])) keep(c, i, substr(ARGV[w], k + 1)); else if (take(i, c, ++w)) return 1
				break
			}
		}
		return 0
	}
	BEGIN {
		read_help()
		n = ARGC - 1; cur = ARGV[n]
		if (options_before()) offer_values(pending, "")
		else if (!plain && match(cur, /^--[a-z-]+=/)) offer_values(substr(cur, 1, RLENGTH - 1), substr(cur, 1, RLENGTH))
		else if (!plain && cur ~ /^-/) {
			for (i = 1; i <= options; i++)
				if (here(i, command != "" ? command : fallback)) { word(long[i], text[i]); if (short[i] != "") word(short[i], text[i]) }
		} else if (commands && command == "")
			for (i = 1; i <= commands; i++) word(order[i], text_of[i])
		else operand(command, operands + 1)
	}' "$@"
}

# _iommu_list LIST PROGRAM KEY OPTION...: the words of a list, from the program; OPTION... is on the line already.
_iommu_list() {
	local list="$1" program="$2" key="$3" dump=iommu-dump
	shift 3
	case "$program" in */*) dump=${program%/*}/iommu-dump ;; esac
	case "$list" in
	methods) _iommu_ask "$program" -A help | sed -n 's/^\([a-z][a-z0-9]*\) .*/\1/p' ;;
	parameters) _iommu_ask "$program" -O help | sed -n 's/^\([a-z][a-z0-9._-]*\)=.*/\1/p' ;;
	values)
		case "$key" in *.path) return 0 ;; esac
		_iommu_ask "$program" -O help | grep -A1 "^$key=" | sed -n '2s/^ *\([A-Za-z0-9|]*\):.*/\1/p' | tr '|' '\n' | grep '^[a-z0-9]'
		;;
	iommus) _iommu_ask "$dump" "$@" -J list | sed -n 's/^{"base":"[^"]*","name":"\([^"]*\)".*/\1/p' ;;
	devices) _iommu_ask "$dump" "$@" -J devices | sed -n 's/^{"iommu":"[^"]*","device_id":"\([^"]*\)","name":\("\([^"]*\)"\)\{0,1\}.*/\3 \1/p' |
		sed 's/^ //; s/ .*//' ;;
	registers) _iommu_ask "$dump" "$@" -J regs | grep -o '"[a-z0-9_]*":{"offset"' | cut -d '"' -f 2 ;;
	esac | grep '^[A-Za-z0-9][A-Za-z0-9_.:@+-]*$' # names come from a file, too: nothing that a shell would read differently
}

# _iommu_complete PROGRAM WORD...: what fits at the last word, as lines:
#   w WORD<tab>MEANING;  p WORD: more follows it, no space;  f: files
_iommu_complete() {
	local program="$1" cursor="" kind rest list left right input=yes plan
	shift
	for cursor; do :; done
	plan=$(_iommu_plan "$program" "$@")
	set --
	while read -r kind rest; do
		case "$kind" in
		a | u)
			case "$rest" in # only a file that is there and cannot block
			--input=*) [ -f "${rest#*=}" ] || input= ;;
			esac
			set -- "$@" "$rest"
			;;
		esac
	done <<-END
		$plan
	END
	printf '%s\n' "$plan" | while read -r kind rest; do
		case "$kind" in
		w) printf 'w %s\n' "$rest" ;;
		f) echo f ;;
		'?')
			IFS='|' read -r list left right <<-END
				$rest
			END
			_iommu_found "$list" "$left" "$right" "$program" "$cursor" "$input" "$@"
			;;
		esac
	done
}

_iommu_found() {
	local list="$1" left="$2" right="$3" program="$4" cursor="$5" input="$6" kind=w key="" word
	shift 6
	case "$list" in
	methods | parameters | values) ;;
	*) [ -n "$input" ] || return 0 ;;
	esac
	if [ "$list" = values ]; then
		key=$right right=""
		left=$left$key=
		case "$key" in *.path | record) echo f ;; esac
	fi
	case "$right" in ?*) kind=p ;; esac
	_iommu_list "$list" "$program" "$key" "$@" | head -n 5000 | while IFS= read -r word; do
		case "$left$word$right" in
		"$cursor"*) printf '%s %s\n' "$kind" "$left$word$right" ;;
		esac
	done
}
