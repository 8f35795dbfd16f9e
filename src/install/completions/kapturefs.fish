# SPDX-License-Identifier: MIT
# Completion of kapturefs for fish. Commands and options are those that kapturefs --help lists.

function __kapturefs_commands
    echo mount
    kapturefs --help 2>/dev/null | string match -rg '^       kapturefs ([a-z]+)(?: |$)'
end

# What has been typed of a list after -o, and behind it each option with its meaning.
function __kapturefs_options
    set -l typed (string replace -r '[^,]*$' '' -- (commandline -ct))
    kapturefs --help 2>/dev/null | sed -n '/^options of -o:/,$p' |
        string match -rg '^  ([a-z_]+=?)\S* +(.*)' | while read -l name
            read -l meaning
            printf '%s%s\t%s\n' "$typed" $name $meaning
        end
end

# Whether the line is one of the command; without any it is one of mount.
function __kapturefs_is
    set -l typed (commandline -opc)[2]
    contains -- "$typed" (__kapturefs_commands); or set typed mount
    test "$typed" = $argv[1]
end

# The flags in the synopsis of each command: `[--jobs N]`.
function __kapturefs_flags
    for command in (__kapturefs_commands)
        # The synopsis, which an empty line ends.
        set -l usage (kapturefs $command --help 2>/dev/null | sed '/^$/q' | string join ' ')
        for flag in (string match -arg '\[(--?[a-z][a-z-]*(?: [^\]\[]+)?)\]' -- $usage)
            set -l words (string split ' ' -- $flag)
            set -l kind -s
            string match -q -- '--*' $flag; and set kind -l
            test (count $words) -eq 2; and set -a kind -r
            complete -c kapturefs -n "__kapturefs_is $command" $kind[2..] $kind[1] \
                (string trim -l -c - -- $words[1])
        end
        string match -q '*[-o OPTION*' -- "$usage"; and complete -c kapturefs \
            -n "__kapturefs_is $command" -s o -x -a '(__kapturefs_options)' -d options
    end
end

complete -c kapturefs -n 'test (count (commandline -opc)) -eq 1' -a '(__kapturefs_commands)'
complete -c kapturefs -l help -d 'list commands and options'
complete -c kapturefs -n 'test (count (commandline -opc)) -eq 1' -l version -d 'print the version'
complete -c kapturefs -n 'test (count (commandline -opc)) -eq 1' -l check-config -r \
    -d 'check the configuration'
__kapturefs_flags
