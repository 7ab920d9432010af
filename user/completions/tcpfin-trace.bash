# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion for tcpfin-trace(8). It needs bash alone. The suite `drift` holds it against the option table.

# Sets COMPREPLY to the interfaces of this network namespace that begin with $1.
_tcpfin_trace_interfaces()
{
	local path

	for path in /sys/class/net/"$1"*; do
		# bonding_masters lies there too and is a file
		[[ -d $path ]] && COMPREPLY+=("${path##*/}")
	done
}

# Sets COMPREPLY to "all" and the named network namespaces, those that begin with $1.
_tcpfin_trace_namespaces()
{
	local path

	mapfile -t COMPREPLY < <(compgen -W all -- "$1")
	for path in /run/netns/"$1"*; do
		if [[ -e $path ]]; then
			COMPREPLY+=("${path##*/}")
		fi
	done
}

# Sets COMPREPLY to the values that $2, a list with commas, can become with one more of the names $1.
_tcpfin_trace_list()
{
	local before=

	[[ $2 == *,* ]] && before=${2%,*},
	mapfile -t COMPREPLY < <(compgen -P "$before" -W "$1" -- "${2##*,}")
	compopt -o nospace
}

# Sets COMPREPLY to the values of option $1 that begin with $2. Fails where the option needs no value.
_tcpfin_trace_value()
{
	case $1 in
	-r | --read | -o | --output | -w | --write-packets | --metrics-file | --kafka-config | --report | --anonymize-key)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$2")
		;;
	--format)
		mapfile -t COMPREPLY < <(compgen -W 'text json csv ladder' -- "$2")
		;;
	--ipfix-transport)
		mapfile -t COMPREPLY < <(compgen -W 'udp tcp' -- "$2")
		;;
	--color)
		mapfile -t COMPREPLY < <(compgen -W 'auto always never' -- "$2")
		;;
	--columns)
		_tcpfin_trace_list 'date time interface source destination outcome closer fin_to_ack half_closed peer_fin_to_ack
			close lifetime source_bytes destination_bytes process unit container notes flags' "$2"
		;;
	--by)
		_tcpfin_trace_list 'process peer port interface outcome reason unit container' "$2"
		;;
	--hook)
		mapfile -t COMPREPLY < <(compgen -W 'auto xdp xdp-generic tc' -- "$2")
		;;
	--netns)
		_tcpfin_trace_namespaces "$2"
		;;
	--closer)
		_tcpfin_trace_list 'source destination both unknown network' "$2"
		;;
	-i | --interface)
		_tcpfin_trace_interfaces "$2"
		;;
	--outcome)
		_tcpfin_trace_list 'graceful reset refused handshake_reset unanswered unfinished open unknown' "$2"
		;;
	-C | --file-size | -G | --file-seconds | \
	-c | --count | -d | --duration | --port | --host | --process | --pid | --unit | --container | --reason | --where | \
	--check | --settle | --syn-timeout | --close-timeout | --idle-timeout | --max-flows | --max-closing | \
	--max-unproven | --evidence | --ring | --rows | --metrics | --kafka | --ipfix | \
	--ipfix-enterprise | --ipfix-domain)
		;; # a value that only the user knows
	*)
		return 1
		;;
	esac
}

# Sets COMPREPLY to the long options that begin with $1. Those that need a value end in "=", and no blank follows.
_tcpfin_trace_options()
{
	local plain='--ipv4 --ipv6 --show-open --strays --all-segments --no-sockets --numeric --verbose --quiet --stats --strict
		--follow --anonymize --top --stuck --time-wait --join --probe --cleanup --help --version'
	local valued='--read= --interface= --hook= --count= --duration= --port= --host= --outcome= --closer= --process=
		--pid= --unit= --container= --reason= --where= --format= --output= --columns= --color= --check= --settle=
		--syn-timeout= --close-timeout= --idle-timeout= --max-flows= --max-closing= --max-unproven=
		--evidence= --ring= --by= --rows= --netns= --file-size= --file-seconds= --metrics-file=
		--metrics= --report= --write-packets= --anonymize-key= --kafka= --kafka-config=
		--ipfix= --ipfix-transport= --ipfix-enterprise= --ipfix-domain='

	mapfile -t COMPREPLY < <(compgen -W "$plain $valued" -- "$1")
	[[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace
}

_tcpfin_trace()
{
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} attached=

	# bash splits "--format=js" into three words, and "--format=" into two.
	if [[ $word == = ]]; then
		attached=yes word=
	elif [[ $before == = ]] && ((COMP_CWORD >= 2)); then
		attached=yes before=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	COMPREPLY=()
	_tcpfin_trace_value "$before" "$word" && return
	[[ $attached ]] && return
	if [[ $word == -* ]]; then
		_tcpfin_trace_options "$word"
	else
		_tcpfin_trace_interfaces "$word"
	fi
}

complete -F _tcpfin_trace tcpfin-trace
