# SPDX-License-Identifier: FSFAP
# -- zsh ----------------------------------------------------------------------------------------------
_iommu_tools() {
	local line kind word files=
	local -a plain more given
	given=("${(@Q)words[1,CURRENT-1]}" "${(Q)PREFIX}")
	given=("${(@)given/#\~\//$HOME/}")
	for line in "${(@f)$(emulate -R sh; _iommu_complete "${given[@]}")}"; do
		kind=${line%% *}
		word=${${line#* }//:/\\:}
		case $kind in
		f) files=yes ;;
		w) plain+=("${word/$'\t'/:}") ;;
		p) more+=("$word") ;;
		esac
	done
	(($#plain)) && _describe -t values iommu plain
	(($#more)) && _describe -t values iommu more -S ''
	if [[ -n $files ]]; then
		compset -P '--*='
		compset -P '[a-z]*.path=' || compset -P 'record='
		_files
	fi
}

_iommu_tools "$@"
