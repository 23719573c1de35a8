# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Completes lessord(8).

_lessord() {
	local line=${COMP_LINE:0:COMP_POINT} cur prev offers=""
	local -a words

	read -ra words <<<"$line"
	[[ $line == *[[:blank:]] ]] && words+=("")
	cur=${words[-1]}
	prev=${words[-2]}
	[[ $cur == --*=* ]] && prev=${cur%%=*} cur=${cur#*=}

	COMPREPLY=()
	case $prev in
	backup | --backups | --config | --port-file | --store | --dump-provider)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	--owner | --org | --expires | --label | --grace | --from | --to) return ;;
	--role) offers="user reader admin" ;;
	*)
		if [[ ${words[1]} == backup && ${#words[@]} -gt 2 ]]; then
			offers="--config --store --help"
		elif [[ ${words[1]} == migrate && ${#words[@]} -gt 2 ]]; then
			offers="--from --to --config --help"
		elif [[ ${words[1]} == doctor && ${#words[@]} -gt 2 ]]; then
			offers="--json --backups --config --help"
		elif [[ ${words[1]} == check && ${#words[@]} -gt 2 ]]; then
			offers="--config --help"
		elif [[ ${words[1]} != token || ${#words[@]} -eq 2 ]]; then
			offers="--config --check-config --dump-config --dump-provider --owed"
			offers+=" --port-file --version --help"
			((${#words[@]} > 2)) || offers+=" backup check doctor migrate token"
		elif ((${#words[@]} == 3)); then
			offers="add list rotate revoke --help"
		elif [[ ${words[2]} == add ]]; then
			offers="--owner --org --role --expires --label --config --store --help"
		elif [[ ${words[2]} == rotate ]]; then
			offers="--grace --expires --config --store --help"
		else
			offers="--config --store --help"
		fi
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$offers" -- "$cur")
}
complete -F _lessord lessord
