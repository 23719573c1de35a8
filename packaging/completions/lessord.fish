# SPDX-License-Identifier: MIT
# Completes lessord(8).

# Is what stands before the word that is completed one of these verbs of "lessord token"?
function __lessord_token
    set -l words (commandline -opc)
    test "$words[2]" = token
    and contains -- "$words[3]" $argv
end

set -l run 'test (count (commandline -opc)) = 1; or test (commandline -opc)[2] != token'
complete -c lessord -f
complete -c lessord -l help -d 'Print a summary'
complete -c lessord -n $run -l config -r -F -d 'The configuration'
complete -c lessord -n $run -l check-config -d 'Say whether the configuration is good'
complete -c lessord -n $run -l dump-config -d 'Print what is in force'
complete -c lessord -n $run -l dump-provider -r -F -d 'What a provider says of itself'
complete -c lessord -n $run -l owed -d 'List what is left at providers'
complete -c lessord -n $run -l port-file -r -F -d 'Gets the number of the first TCP port'
complete -c lessord -n $run -l version -d 'Print the version'
complete -c lessord -n 'test (count (commandline -opc)) = 1' -a token \
    -d 'Make, list and revoke tokens of clients'

set -l verb 'test (count (commandline -opc)) = 2; and test (commandline -opc)[2] = token'
complete -c lessord -n $verb -a add -d 'Make a token'
complete -c lessord -n $verb -a list -d 'List all tokens'
complete -c lessord -n $verb -a revoke -d 'Let a token open nothing'

set -l token '__lessord_token add list revoke'
complete -c lessord -n $token -l config -r -F -d 'The configuration'
complete -c lessord -n $token -l store -r -F -d 'The database'
complete -c lessord -n '__lessord_token add' -l owner -x -d 'Whose it is'
complete -c lessord -n '__lessord_token add' -l org -x -d 'The organisation'
complete -c lessord -n '__lessord_token add' -l role -x -a 'user reader admin' -d 'What it may do'
complete -c lessord -n '__lessord_token add' -l expires -x -d 'How long it is good'
