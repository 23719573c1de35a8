# SPDX-License-Identifier: MIT
# Completes lessord(8).

# True after one of these verbs of "lessord token".
function __lessord_token
    set -l words (commandline -opc)
    test "$words[2]" = token
    and contains -- "$words[3]" $argv
end

set -l run 'test (count (commandline -opc)) = 1; or not contains -- (commandline -opc)[2] backup check doctor migrate token'
complete -c lessord -f
complete -c lessord -l help -d 'Print a summary'
complete -c lessord -n $run -l config -r -F -d 'The configuration'
complete -c lessord -n $run -l check-config -d 'Check the configuration'
complete -c lessord -n $run -l dump-config -d 'Print the effective configuration'
complete -c lessord -n $run -l dump-provider -r -F -d 'Describe a provider'
complete -c lessord -n $run -l owed -d 'List what is left at the providers'
complete -c lessord -n $run -l port-file -r -F -d 'File for the first TCP port'
complete -c lessord -n $run -l version -d 'Print the version'
complete -c lessord -n 'test (count (commandline -opc)) = 1' -a token \
    -d 'Manage client tokens'

complete -c lessord -n 'test (count (commandline -opc)) = 1' -a backup -d 'Copy the database to a file'

set -l backup 'test (count (commandline -opc)) -gt 1; and test (commandline -opc)[2] = backup'
complete -c lessord -n $backup -F
complete -c lessord -n $backup -l config -r -F -d 'The configuration'
complete -c lessord -n $backup -l store -r -F -d 'The database'

complete -c lessord -n 'test (count (commandline -opc)) = 1' -a check -d 'Examine the database'

set -l check 'test (count (commandline -opc)) -gt 1; and test (commandline -opc)[2] = check'
complete -c lessord -n $check -l config -r -F -d 'The configuration'

complete -c lessord -n 'test (count (commandline -opc)) = 1' -a doctor -d 'Examine the installation'

set -l doctor 'test (count (commandline -opc)) -gt 1; and test (commandline -opc)[2] = doctor'
complete -c lessord -n $doctor -l config -r -F -d 'The configuration'
complete -c lessord -n $doctor -l json -d 'Print JSON'
complete -c lessord -n $doctor -l backups -r -F -d 'The directory of the backups'

complete -c lessord -n 'test (count (commandline -opc)) = 1' -a migrate -d 'Move the database to PostgreSQL'

set -l migrate 'test (count (commandline -opc)) -gt 1; and test (commandline -opc)[2] = migrate'
complete -c lessord -n $migrate -l from -x -a sqlite: -d 'The file to move'
complete -c lessord -n $migrate -l to -x -a postgresql:// -d 'The database to move to'
complete -c lessord -n $migrate -l config -r -F -d 'The configuration'

set -l verb 'test (count (commandline -opc)) = 2; and test (commandline -opc)[2] = token'
complete -c lessord -n $verb -a add -d 'Create a token'
complete -c lessord -n $verb -a list -d 'List all tokens'
complete -c lessord -n $verb -a rotate -d 'Replace a token'
complete -c lessord -n $verb -a revoke -d 'Revoke a token'

set -l token '__lessord_token add list rotate revoke'
complete -c lessord -n $token -l config -r -F -d 'The configuration'
complete -c lessord -n $token -l store -r -F -d 'The database'
complete -c lessord -n '__lessord_token add' -l owner -x -d 'The owner of the token'
complete -c lessord -n '__lessord_token add' -l org -x -d 'The organisation'
complete -c lessord -n '__lessord_token add' -l role -x -a 'user reader admin' -d 'The role'
complete -c lessord -n '__lessord_token add rotate' -l expires -x -d 'How long it is valid'
complete -c lessord -n '__lessord_token add' -l label -x -d 'What it is for'
complete -c lessord -n '__lessord_token rotate' -l grace -x -d 'How long the old one stays valid'
