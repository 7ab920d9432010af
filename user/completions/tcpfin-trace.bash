# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion for tcpfin-trace(8). Needs nothing but bash.

# Sets COMPREPLY to the interfaces of this network namespace that begin with $1.
_tcpfin_trace_interfaces()
{
	local path

	for path in /sys/class/net/"$1"*; do
		# bonding_masters lies there too and is a file
		[[ -d $path ]] && COMPREPLY+=("${path##*/}")
	done
}

# Sets COMPREPLY to the names of $1 that begin with the part of $2 behind its last comma.
_tcpfin_trace_list()
{
	local before=

	[[ $2 == *,* ]] && before=${2%,*},
	mapfile -t COMPREPLY < <(compgen -P "$before" -W "$1" -- "${2##*,}")
	compopt -o nospace
}

# The value of option $1, begun as $2. Fails where the option takes none.
_tcpfin_trace_value()
{
	case $1 in
	-r | --read)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$2")
		;;
	--format)
		mapfile -t COMPREPLY < <(compgen -W 'text json csv ladder' -- "$2")
		;;
	--hook)
		mapfile -t COMPREPLY < <(compgen -W 'auto xdp xdp-generic tc' -- "$2")
		;;
	--outcome)
		_tcpfin_trace_list 'graceful reset refused handshake_reset unanswered unfinished open unknown' "$2"
		;;
	-c | --count | -d | --duration | --port | --host | --settle | --syn-timeout | --close-timeout | \
	--idle-timeout | --max-flows | --max-closing | --max-unproven | --ring)
		;; # anything
	*)
		return 1
		;;
	esac
}

# Long options that begin with $1; those with a value end in "=" and are completed on.
_tcpfin_trace_options()
{
	local plain='--ipv4 --ipv6 --show-open --all-segments --no-sockets --numeric --verbose --quiet --stats --strict --follow
		--stuck --time-wait --cleanup --help --version'
	local valued='--read= --hook= --count= --duration= --port= --host= --outcome= --format= --settle= --syn-timeout=
		--close-timeout= --idle-timeout= --max-flows= --max-closing= --max-unproven= --ring='

	mapfile -t COMPREPLY < <(compgen -W "$plain $valued" -- "$1")
	[[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace
}

_tcpfin_trace()
{
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}

	# "--format=js" comes as three words where "=" breaks words, as it does by default.
	if [[ $word == = ]]; then
		word=
	elif [[ $before == = ]] && ((COMP_CWORD >= 2)); then
		before=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	COMPREPLY=()
	_tcpfin_trace_value "$before" "$word" && return
	if [[ $word == -* ]]; then
		_tcpfin_trace_options "$word"
	else
		_tcpfin_trace_interfaces "$word"
	fi
}

complete -F _tcpfin_trace tcpfin-trace
