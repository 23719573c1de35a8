# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Completes lessor(1). Leases and accounts come from the lessord that the command line would
# use, within two seconds; anything that does not look like a name is dropped.

# Runs lessor ARG... with the line's connection options; not if a word needs shell expansion.
_lessor_ask() {
	local word
	for word in "${ask[@]}"; do
		[[ $word == *[\'\"\\\$\`]* ]] && return
	done
	timeout 2 "${program/#\~\//$HOME/}" "${ask[@]/#\~\//$HOME/}" "$@" 2>/dev/null </dev/null
}

# Leases that match FILTER (all, live). Slugs name live leases only.
_lessor_leases() {
	local id slug state rest
	while read -r id slug state rest; do
		[[ $id =~ ^cbx_[0-9a-f]{12}$ ]] || continue
		case $state in
		provisioning | active)
			[[ $slug =~ ^[a-z0-9-]+$ ]] && echo "$slug"
			echo "$id"
			;;
		*) [[ $1 == live ]] || echo "$id" ;;
		esac
	done < <(_lessor_ask list)
}

_lessor_attention() {
	local id rest
	while read -r id rest; do
		[[ $id =~ ^cbx_[0-9a-f]{12}$ ]] && echo "$id"
	done < <(_lessor_ask list --attention)
}

# The first column of a table, from HEADING to an empty line.
_lessor_column() {
	local name rest inside=""
	while read -r name rest; do
		[[ -n $name ]] || inside=
		[[ -n $inside && $name =~ ^[a-z0-9._-]+$ ]] && echo "$name"
		[[ $name != "$1" ]] || inside=1
	done < <(_lessor_ask providers)
}

_lessor_tokens() {
	local id rest
	while read -r id rest; do
		[[ $id =~ ^[0-9a-f]{16}$ ]] && echo "$id"
	done < <(_lessor_ask token list)
}

# The saved servers, from the table of `lessor context`.
_lessor_contexts() {
	local mark name rest
	while read -r mark name rest; do
		[[ $mark == "*" ]] || name=$mark
		[[ $name =~ ^[A-Za-z0-9][A-Za-z0-9._-]*$ && $name != CONTEXT ]] && echo "$name"
	done < <(_lessor_ask context)
}

_lessor_commands() {
	echo "create run ssh cp ssh-config list queue show events wait keepalive heartbeat extend release"
	echo "resolve sweep account token daemons providers classes capacity usage whoami login logout context doctor version"
	echo "help"
}

_lessor_flags() {
	case $1 in
	create)
		echo "--class --type --ttl --idle --slug --account --location --image --ssh-key"
		echo "--keep --wait --no-wait --wait-for-capacity"
		;;
	run)
		echo "--class --type --ttl --idle --slug --account --location --image --ssh-key"
		echo "--keep --wait --wait-for-capacity --identity --accept-new-host-key --no-tty"
		;;
	ssh) echo "--identity --accept-new-host-key --no-tty --stdio" ;;
	cp) echo "--identity --accept-new-host-key" ;;
	ssh-config) echo "--identity --accept-new-host-key --direct" ;;
	list) echo "--all --state --retained --attention --class --account --since --owner" ;;
	events) echo "--follow" ;;
	wait) echo "--for --timeout" ;;
	heartbeat) echo "--idle" ;;
	release) echo "--keep-server --until --reason --delete --no-wait" ;;
	resolve) echo "--resource --reason" ;;
	sweep) echo "--run --looked --delete --account --reason" ;;
	account) echo "--looked --reason" ;;
	token) echo "--all --owner --org --role --label --expires --grace" ;;
	classes) echo "--account" ;;
	usage) echo "--month --all --csv" ;;
	login) echo "--name --token-stdin" ;;
	esac
	echo "--url --token-file --ca-file --context --config --json --help --version"
}

# The word that follows COMMAND and its words so far.
_lessor_word() {
	case ${1-}:$# in
	:* | help:1) _lessor_commands ;;
	show:1 | events:1 | release:1 | wait:1) _lessor_leases all ;;
	heartbeat:1 | extend:1 | keepalive:1 | ssh:1 | run:1 | ssh-config:*) _lessor_leases live ;;
	context:1) echo "list use remove show" ;;
	context:2) [[ $2 == list ]] || _lessor_contexts ;;
	logout:1) _lessor_contexts ;;
	resolve:1) _lessor_attention ;;
	resolve:2) echo "retry forget adopt" ;;
	account:1) echo "take-over" ;;
	token:1) echo "list add rotate revoke" ;;
	token:2) [[ $2 == r* ]] && _lessor_tokens ;;
	account:2) _lessor_column ACCOUNT ;;
	esac
}

_lessor() {
	local program=$1 line=${COMP_LINE:0:COMP_POINT} cur prev word offers="" i
	local -a words ask=() given=()

	# Not COMP_WORDS, where a URL is five words.
	read -ra words <<<"$line"
	[[ $line == *[[:blank:]] ]] && words+=("")
	cur=${words[-1]}
	prev=${words[-2]}
	[[ $cur == --*=* ]] && prev=${cur%%=*} cur=${cur#*=}
	for ((i = 1; i < ${#words[@]} - 1; i++)); do
		word=${words[i]}
		case $word in
		--url=* | --token-file=* | --ca-file=* | --context=* | --config=*) ask+=("${word%%=*}" "${word#*=}") ;;
		--url | --token-file | --ca-file | --context | --config)
			((++i < ${#words[@]} - 1)) && ask+=("$word" "${words[i]}")
			;;
		--class | --type | --ttl | --idle | --slug | --account | --location | --image | \
			--ssh-key | --identity | --state | --until | --reason | --resource | --month | --since | --owner | --for | \
			--timeout | --name | --org | --role | --label | --expires | --grace)
			((i++))
			;;
		-*) ;;
		*) given+=("$word") ;;
		esac
	done

	COMPREPLY=()
	case $prev in
	--token-file | --ca-file | --config | --ssh-key | --identity)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	--url | --type | --ttl | --idle | --slug | --location | --image | --until | --reason | \
		--resource | --month | --since | --owner | --timeout | --name | --org | --label | --expires | --grace)
		return
		;;
	--context) offers=$(_lessor_contexts) ;;
	--for) offers="ready gone" ;;
	--role) offers="user reader admin" ;;
	--state) offers="provisioning active released expired failed" ;;
	--class) offers=$(_lessor_column CLASS) ;;
	--account) offers=$(_lessor_column ACCOUNT) ;;
	*)
		if [[ " ${words[*]:0:${#words[@]}-1} " == *" -- "* ]]; then
			return
		elif [[ $cur == -* ]]; then
			offers=$(_lessor_flags "${given[0]-}")
		else
			offers=$(_lessor_word "${given[@]}")
		fi
		if [[ ${given[0]-} == cp && $cur != -* ]]; then
			compopt -o filenames -o nospace
			mapfile -t COMPREPLY < <(_lessor_leases live | sed 's/$/:/' | grep -F -- "$cur"
				compgen -f -- "$cur")
			return
		fi
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$offers" -- "$cur")
}
complete -F _lessor lessor
