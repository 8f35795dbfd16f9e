# SPDX-License-Identifier: MIT
# Completion of kapturefs for fish. Commands and options are those that kapturefs --help lists.

function __kapturefs_commands
    echo mount
    kapturefs --help 2>/dev/null | string match -rg '^ +kapturefs ([a-z]+) '
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

complete -c kapturefs -n 'test (count (commandline -opc)) -eq 1' -a '(__kapturefs_commands)'
complete -c kapturefs -s o -x -a '(__kapturefs_options)' -d options
complete -c kapturefs -s f -d 'stay in the foreground'
complete -c kapturefs -s d -d 'the same, with debug output'
complete -c kapturefs -l help -d 'list commands and options'
complete -c kapturefs -l version -d 'print the version'
complete -c kapturefs -l check-config -r -d 'check the configuration'
