# SPDX-License-Identifier: MIT
# Completes lessor(1). Leases and accounts come from the lessord that the command line would
# use, within two seconds; anything that does not look like a name is dropped.

# The command and its operands before the current word, without options and their values.
function __lessor_given
    set -l skip 0
    for word in (commandline -opc)[2..-1]
        if test $skip = 1
            set skip 0
        else if contains -- $word --url --token-file --ca-file --context --config --class --type --ttl \
                --idle --slug --account --location --image --ssh-key --identity --state --until --reason --resource \
                --month --for --timeout --name --org --role --label --expires --grace
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
        if contains -- $words[$i] --url --token-file --ca-file --context --config; and set -q words[(math $i + 1)]
            set -a ask $words[$i] (string replace -r '^~/' "$HOME/" -- $words[(math $i + 1)])
        else if string match -qr -- '^--(url|token-file|ca-file|context|config)=' $words[$i]
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

function __lessor_tokens
    __lessor_ask token list | string match -r '^[0-9a-f]{16}(?= )'
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

# The saved servers, from the table of `lessor context`.
function __lessor_contexts
    for line in (__lessor_ask context)
        set -l cells (string split -n ' ' -- $line)
        test "$cells[1]" = '*'
        and set -e cells[1]
        test "$cells[1]" != CONTEXT
        and string match -r '^[A-Za-z0-9][A-Za-z0-9._-]*$' -- "$cells[1]"
    end
end

complete -c lessor -f
complete -c lessor -l url -x -d 'The URL of lessord'
complete -c lessor -l token-file -r -F -d 'A file with the token'
complete -c lessor -l ca-file -r -F -d 'A file of the CAs to trust'
complete -c lessor -l context -x -a '(__lessor_contexts)' -d 'A saved server'
complete -c lessor -l config -r -F -d 'Another settings file'
complete -c lessor -l json -d 'Print JSON instead of text'
complete -c lessor -l help -d 'Print a summary'
complete -c lessor -l version -d 'Print the version'

set -l none 'test -z (__lessor_given)[1]; or __lessor_at 0 help'
complete -c lessor -n $none -a create -d 'Lease a machine and wait until it is ready'
complete -c lessor -n $none -a run -d 'Run a command in a machine, by default in a new one'
complete -c lessor -n $none -a ssh -d 'Log in to the machine of a lease'
complete -c lessor -n $none -a cp -d 'Copy files to or from the machine of a lease'
complete -c lessor -n $none -a ssh-config -d 'Print leases for ssh_config'
complete -c lessor -n $none -a list -d 'List leases that are live or not fully cleaned up'
complete -c lessor -n $none -a queue -d 'Show your leases that wait for capacity'
complete -c lessor -n $none -a show -d 'Show everything about one lease'
complete -c lessor -n $none -a events -d 'Show the timeline of a lease, or follow all leases'
complete -c lessor -n $none -a wait -d 'Wait until a machine is ready, or gone'
complete -c lessor -n $none -a keepalive -d 'Send heartbeats until the lease ends'
complete -c lessor -n $none -a heartbeat -d 'Report that a lease is still in use'
complete -c lessor -n $none -a extend -d 'Let a lease live longer'
complete -c lessor -n $none -a release -d 'Release a lease'
complete -c lessor -n $none -a resolve -d 'Resolve a lease in attention'
complete -c lessor -n $none -a sweep -d 'Show or delete orphans'
complete -c lessor -n $none -a account -d 'End the fencing of an account'
complete -c lessor -n $none -a token -d 'Show, make, replace or revoke tokens'
complete -c lessor -n $none -a daemons -d 'Show the lessord on this database'
complete -c lessor -n $none -a providers -d 'List the accounts that can create machines'
complete -c lessor -n $none -a classes -d 'List the classes of server types and what they cost'
complete -c lessor -n $none -a capacity -d 'Show how much of which limit is used'
complete -c lessor -n $none -a usage -d 'Show usage and cost, in the currency of each account'
complete -c lessor -n $none -a whoami -d 'Show the identity that your token has'
complete -c lessor -n $none -a login -d 'Save a server and its token'
complete -c lessor -n $none -a logout -d 'Remove the token of a saved server'
complete -c lessor -n $none -a context -d 'List the saved servers, or choose one'
complete -c lessor -n $none -a doctor -d 'Check settings, server, token and programs'
complete -c lessor -n $none -a version -d 'Show the versions'
complete -c lessor -n $none -a help -d 'Show the help of a command'

set -l create '__lessor_at any create run'
complete -c lessor -n $create -l class -x -a '(__lessor_column CLASS)' -d 'A class of server types'
complete -c lessor -n $create -l type -x -d 'Exactly this server type'
complete -c lessor -n $create -l ttl -x -d 'Maximum lifetime'
complete -c lessor -n $create -l idle -x -d 'End it after this long without a heartbeat'
complete -c lessor -n $create -l slug -x -d 'A short name'
complete -c lessor -n $create -l account -x -a '(__lessor_column ACCOUNT)' -d 'The account to use'
complete -c lessor -n $create -l location -x -d 'Where to create it'
complete -c lessor -n $create -l image -x -d 'The operating system image'
complete -c lessor -n $create -l ssh-key -r -F -d 'The SSH public key that may log in'
complete -c lessor -n '__lessor_at any create' -l keep -d 'A release without --delete keeps the server'
complete -c lessor -n '__lessor_at any run' -l keep -d 'Do not release the lease afterwards'
complete -c lessor -n $create -l wait -d 'Wait until it is ready'
complete -c lessor -n '__lessor_at any create' -l no-wait -d 'Do not wait'
complete -c lessor -n $create -l wait-for-capacity -d 'At a limit, wait for capacity'

set -l login '__lessor_at any run ssh cp ssh-config'
complete -c lessor -n $login -l identity -r -F -d 'The private key that logs in'
complete -c lessor -n $login -l accept-new-host-key -d 'Connect even if no host key is known'
complete -c lessor -n '__lessor_at any run ssh' -l no-tty -d 'No terminal for the command'
complete -c lessor -n '__lessor_at any ssh' -l stdio -d 'Only carry bytes, as a ProxyCommand'
complete -c lessor -n '__lessor_at any ssh-config' -l direct -d 'Without lessor and heartbeats'

set -l list '__lessor_at any list'
complete -c lessor -n $list -l all -d 'All leases, including those that are over'
complete -c lessor -n $list -l state -x -a 'provisioning active released expired failed' \
    -d 'Leases in this state'
complete -c lessor -n $list -l retained -d 'Leases whose server is kept'
complete -c lessor -n $list -l attention -d 'Leases that need operator action'
complete -c lessor -n $list -l class -x -a '(__lessor_column CLASS)' -d 'Only leases of this class'
complete -c lessor -n $list -l account -x -a '(__lessor_column ACCOUNT)' \
    -d 'Only leases in this account'
complete -c lessor -n $list -l since -x -d 'Only leases created since then'
complete -c lessor -n $list -l owner -x -d 'Only leases of this owner'

complete -c lessor -n '__lessor_at 0 context' -a 'list use remove show'
complete -c lessor -n '__lessor_at 1 context' -a '(__lessor_contexts)'
complete -c lessor -n '__lessor_at 0 logout' -a '(__lessor_contexts)'
complete -c lessor -n '__lessor_at any login' -l name -x -d 'The name of the context'
complete -c lessor -n '__lessor_at any login' -l token-stdin -d 'Read the token from standard input'

complete -c lessor -n '__lessor_at any wait' -l for -x -a 'ready gone' -d 'What to wait for'
complete -c lessor -n '__lessor_at any wait' -l timeout -x -d 'At most this long'
complete -c lessor -n '__lessor_at 0 show events release wait' -a '(__lessor_leases all)'
complete -c lessor -n '__lessor_at 0 heartbeat extend keepalive ssh run' -a '(__lessor_leases live)'
complete -c lessor -n '__lessor_at any ssh-config' -a '(__lessor_leases live)'
complete -c lessor -n '__lessor_at any cp' -a '(__lessor_leases live | string replace -r \'$\' :)'
complete -c lessor -n '__lessor_at any cp' -F
complete -c lessor -n '__lessor_at 0 resolve' -a '(__lessor_attention)'
complete -c lessor -n '__lessor_at 1 resolve' -a 'retry forget adopt'
complete -c lessor -n '__lessor_at 0 account' -a take-over
complete -c lessor -n '__lessor_at 1 account' -a '(__lessor_column ACCOUNT)'

complete -c lessor -n '__lessor_at any events' -l follow -d 'Continue until nothing of it remains; without a lease, follow all'
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

set -l token '__lessor_at any token'
complete -c lessor -n '__lessor_at 0 token' -a 'list add rotate revoke'
complete -c lessor -n '__lessor_at 1 token' -a '(__lessor_tokens)'
complete -c lessor -n $token -l all -d 'Those that ended, too'
complete -c lessor -n $token -l owner -x -d 'The owner of the token'
complete -c lessor -n $token -l org -x -d 'The organisation'
complete -c lessor -n $token -l role -x -a 'user reader admin' -d 'The role'
complete -c lessor -n $token -l label -x -d 'What it is for'
complete -c lessor -n $token -l expires -x -d 'How long it is valid'
complete -c lessor -n $token -l grace -x -d 'How long the old one stays valid'

complete -c lessor -n '__lessor_at any classes' -l account -x -a '(__lessor_column ACCOUNT)' \
    -d 'The prices in this account'

complete -c lessor -n '__lessor_at any usage' -l month -x -d 'Another month than the current one'
complete -c lessor -n '__lessor_at any usage' -l all -d 'Of all owners'
complete -c lessor -n '__lessor_at any usage' -l csv -d 'One line per machine'
