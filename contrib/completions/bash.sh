# SPDX-License-Identifier: FSFAP
# shellcheck shell=bash
# -- bash ---------------------------------------------------------------------------------------------
# The words of the line up to the cursor, without what quotes them: bash's own are cut at ':' and '=' too.
_iommu_split() {
	local text=$1 i c quote="" word="" open=
	iommu_words=()
	for ((i = 0; i < ${#text}; i++)); do
		c=${text:i:1}
		if [[ $quote ]]; then
			if [[ $c == "$quote" ]]; then quote=; else word+=$c; fi
		elif [[ $c == [\"\'] ]]; then
			quote=$c open=yes
		elif [[ $c == \\ ]]; then
			i=$((i + 1)) word+=${text:i:1} open=yes
		elif [[ $c == [[:space:]] ]]; then
			[[ $open ]] && iommu_words+=("$word")
			word="" open=
		else
			word+=$c open=yes
		fi
	done
	iommu_words+=("$word")
}

_iommu_tools() {
	local -a iommu_words
	local i kind word cut="" cursor more="" IFS=$' \t\n'
	COMPREPLY=()
	_iommu_split "${COMP_LINE:0:COMP_POINT}"
	for i in "${!iommu_words[@]}"; do
		iommu_words[i]=${iommu_words[i]/#~\//$HOME/}
	done
	cursor=${iommu_words[-1]}
	# bash replaces only what is behind the last character that cuts words
	for i in : =; do
		if [[ $COMP_WORDBREAKS == *$i* && $cursor == *$i* ]]; then
			word=${cursor%"$i"*}$i
			((${#word} > ${#cut})) && cut=$word
		fi
	done
	while read -r kind word; do
		word=${word%%$'\t'*}
		case $kind in
		f) compopt -o default ;;
		p) more=yes ;;&
		w | p) COMPREPLY+=("${word#"$cut"}") ;;
		esac
	done < <(_iommu_complete "${iommu_words[@]}")
	[[ $more ]] && compopt -o nospace
	return 0
}

complete -F _iommu_tools iommu-dump iommu-kexec-prep iommu-quiesce iommu-top
