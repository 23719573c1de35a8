# SPDX-License-Identifier: MIT
# Completes lessor(1). Leases and accounts come from the lessord that the command line would
# use, within two seconds; anything that does not look like a name is dropped.

# The command and its operands before the current word, without options and their values.
function __lessor_given
    set -l skip 0
    for word in (commandline -opc)[2..-1]
        if test $skip = 1
            set skip 0
        else if contains -- $word --url --token-file --ca-file --config --class --type --ttl --idle --slug \
                --account --location --image --ssh-key --state --until --reason --resource --month
            set skip 1
        else if not string match -q -- '-*' $word
            echo $word
        end
    end
end

# True for one of these commands with this number of operands (or any).
function __lessor_at
    set -l given (__lessor_given)
    contains -- "$given[1]" $argv[2..-1]
    and begin
        test $argv[1] = any
        or test (count $given) = (math $argv[1] + 1)
    end
end

# Runs lessor ARG... with the line's connection options.
function __lessor_ask
    set -l words (commandline -opc)
    set -l ask
    for i in (seq 2 (count $words))
        if contains -- $words[$i] --url --token-file --ca-file --config; and set -q words[(math $i + 1)]
            set -a ask $words[$i] (string replace -r '^~/' "$HOME/" -- $words[(math $i + 1)])
        else if string match -qr -- '^--(url|token-file|ca-file|config)=' $words[$i]
            set -a ask (string replace -r '=~/' "=$HOME/" -- $words[$i])
        end
    end
    timeout 2 (string replace -r '^~/' "$HOME/" -- $words[1]) $ask $argv 2>/dev/null </dev/null
end

# Leases that match the filter (all, live). Slugs name live leases only.
function __lessor_leases
    for line in (__lessor_ask list)
        set -l cells (string split -n ' ' -- $line)
        string match -qr '^cbx_[0-9a-f]{12}$' -- $cells[1]
        or continue
        if contains -- "$cells[3]" provisioning active
            string match -r '^[a-z0-9-]+$' -- $cells[2]
            echo $cells[1]
        else if test $argv[1] = all
            echo $cells[1]
        end
    end
end

function __lessor_attention
    __lessor_ask list --attention | string match -r '^cbx_[0-9a-f]{12}(?= )'
end

# The first column of a table, from its heading to an empty line.
function __lessor_column
    set -l in 0
    for line in (__lessor_ask providers)
        set -l name (string split -n ' ' -- $line)[1]
        if test "$name" = $argv[1]
            set in 1
        else if test -z "$name"
            set in 0
        else if test $in = 1
            string match -r '^[a-z0-9._-]+$' -- $name
        end
    end
end

complete -c lessor -f
complete -c lessor -l url -x -d 'The URL of lessord'
complete -c lessor -l token-file -r -F -d 'A file with the token'
complete -c lessor -l ca-file -r -F -d 'A file of the CAs to trust'
complete -c lessor -l config -r -F -d 'Another settings file'
complete -c lessor -l json -d 'Print JSON instead of text'
complete -c lessor -l help -d 'Print a summary'
complete -c lessor -l version -d 'Print the version'

set -l none 'test -z (__lessor_given)[1]'
complete -c lessor -n $none -a create -d 'Lease a machine and wait until it is ready'
complete -c lessor -n $none -a list -d 'List leases that are live or not fully cleaned up'
complete -c lessor -n $none -a show -d 'Show everything about one lease'
complete -c lessor -n $none -a events -d 'Show the timeline of a lease'
complete -c lessor -n $none -a heartbeat -d 'Report that a lease is still in use'
complete -c lessor -n $none -a release -d 'Release a lease'
complete -c lessor -n $none -a resolve -d 'Resolve a lease in attention'
complete -c lessor -n $none -a sweep -d 'Show or delete orphans'
complete -c lessor -n $none -a account -d 'End the fencing of an account'
complete -c lessor -n $none -a providers -d 'List the accounts that can create machines'
complete -c lessor -n $none -a usage -d 'Show usage and cost, in the currency of each account'
complete -c lessor -n $none -a whoami -d 'Show the identity that your token has'

set -l create '__lessor_at any create'
complete -c lessor -n $create -l class -x -a '(__lessor_column CLASS)' -d 'A class of server types'
complete -c lessor -n $create -l type -x -d 'Exactly this server type'
complete -c lessor -n $create -l ttl -x -d 'Maximum lifetime'
complete -c lessor -n $create -l idle -x -d 'End it after this long without a heartbeat'
complete -c lessor -n $create -l slug -x -d 'A short name'
complete -c lessor -n $create -l account -x -a '(__lessor_column ACCOUNT)' -d 'The account to use'
complete -c lessor -n $create -l location -x -d 'Where to create it'
complete -c lessor -n $create -l image -x -d 'The operating system image'
complete -c lessor -n $create -l ssh-key -r -F -d 'The SSH public key that may log in'
complete -c lessor -n $create -l keep -d 'A release without --delete keeps the server'
complete -c lessor -n $create -l wait -d 'Wait until it is ready'
complete -c lessor -n $create -l no-wait -d 'Do not wait'

set -l list '__lessor_at any list'
complete -c lessor -n $list -l all -d 'All leases, including those that are over'
complete -c lessor -n $list -l state -x -a 'provisioning active released expired failed' \
    -d 'Leases in this state'
complete -c lessor -n $list -l retained -d 'Leases whose server is kept'
complete -c lessor -n $list -l attention -d 'Leases that need operator action'

complete -c lessor -n '__lessor_at 0 show events release' -a '(__lessor_leases all)'
complete -c lessor -n '__lessor_at 0 heartbeat' -a '(__lessor_leases live)'
complete -c lessor -n '__lessor_at 0 resolve' -a '(__lessor_attention)'
complete -c lessor -n '__lessor_at 1 resolve' -a 'retry forget adopt'
complete -c lessor -n '__lessor_at 0 account' -a take-over
complete -c lessor -n '__lessor_at 1 account' -a '(__lessor_column ACCOUNT)'

complete -c lessor -n '__lessor_at any events' -l follow -d 'Continue until nothing of it remains'
complete -c lessor -n '__lessor_at any heartbeat' -l idle -x -d 'End it after this long without one'

set -l release '__lessor_at any release'
complete -c lessor -n $release -l keep-server -d 'Keep its server'
complete -c lessor -n $release -l until -x -d 'How long to keep it'
complete -c lessor -n $release -l reason -x -d 'Why it is kept'
complete -c lessor -n $release -l delete -d 'Delete the server, even if it is kept'
complete -c lessor -n $release -l no-wait -d 'Do not wait for the cleanup'

complete -c lessor -n '__lessor_at any resolve' -l resource -x -d 'Only this row'
complete -c lessor -n '__lessor_at any resolve' -l reason -x -d Why

set -l sweep '__lessor_at any sweep'
complete -c lessor -n $sweep -l run -d 'Sweep again soon'
complete -c lessor -n $sweep -l looked -d 'Confirm that you have checked'
complete -c lessor -n $sweep -l delete -d 'Delete orphans'
complete -c lessor -n $sweep -l account -x -a '(__lessor_column ACCOUNT)' -d 'Only in this account'
complete -c lessor -n $sweep -l reason -x -d Why

set -l account '__lessor_at any account'
complete -c lessor -n $account -l looked -d 'Confirm that this database is the newest'
complete -c lessor -n $account -l reason -x -d Why

complete -c lessor -n '__lessor_at any usage' -l month -x -d 'Another month than the current one'
complete -c lessor -n '__lessor_at any usage' -l all -d 'Of all owners'
complete -c lessor -n '__lessor_at any usage' -l csv -d 'One line per machine'
