# SPDX-License-Identifier: MIT
# Completion of kapturefs for bash. Commands and options are those that kapturefs --help lists.

_kapturefs_commands()
{
	sed -n 's/^       kapturefs \([a-z]\+\)\( .*\)\?$/\1/p; s/^usage: kapturefs \[mount\].*/mount/p'
}

# The flags in the synopsis, which an empty line ends: `[--port N]`.
_kapturefs_flags()
{
	sed '/^$/q' | grep -oE -- '\[--?[a-z][a-z-]*' | tr -d '['
}

# `ttl=` for those that take a value, `offline` for those that do not.
_kapturefs_options()
{
	sed -n '/^options of -o:/,$s/^  \([a-z_]\+=\?\).*/\1/p'
}

# What comes behind the name of an option: a file if --help shows PATH.
_kapturefs_is_path()
{
	grep -q "^  $1=PATH"
}

_kapturefs()
{
	local line=${COMP_LINE:0:COMP_POINT} program=${COMP_WORDS[0]} help typed before command=mount
	local -a words found=()

	help=$("$program" --help 2>/dev/null) || return
	read -ra words <<<"$line"
	[[ $line == *[[:space:]] ]] && words+=('')
	typed=${words[-1]}
	before=${words[-2]-}
	if ((${#words[@]} > 2)) && _kapturefs_commands <<<"$help" | grep -qxF -- "${words[1]}"; then
		command=${words[1]}
	fi

	compopt -o nospace 2>/dev/null
	if [[ $before == -o ]]; then
		local done= last=$typed name
		[[ $typed == *,* ]] && done=${typed%,*}, last=${typed##*,}
		name=${last%%=*}
		if [[ $last != *=* ]]; then
			mapfile -t found < <(compgen -W "$(_kapturefs_options <<<"$help")" -- "$last")
		elif _kapturefs_is_path "$name" <<<"$help"; then
			# Others choose names of files, and the shell reads the line.
			mapfile -t found < <(compgen -f -- "${last#*=}")
			((${#found[@]} == 0)) || mapfile -t found < <(printf "$name=%q\n" "${found[@]}")
		fi
		found=("${found[@]/#/$done}")
	elif [[ $typed == -* ]]; then
		mapfile -t found < <(compgen -W "$("$program" "$command" --help 2>/dev/null | _kapturefs_flags) --help" -- "$typed")
		((${#words[@]} > 2)) || found+=($(compgen -W '--version --check-config' -- "$typed"))
	else
		((${#words[@]} > 2)) ||
			mapfile -t found < <(compgen -W "$(_kapturefs_commands <<<"$help")" -- "$typed")
		compopt +o nospace -o default 2>/dev/null
	fi

	# bash itself keeps what stands before the last character that breaks words.
	local kept=
	[[ $typed == *[=:]* ]] && kept=${typed%"${typed##*[=:]}"}
	COMPREPLY=("${found[@]#"$kept"}")
} && complete -F _kapturefs kapturefs
