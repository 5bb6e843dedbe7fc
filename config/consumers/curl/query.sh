#!/bin/sh
# Run a SOQL query with the token that rotator has published last, and print the answer of Salesforce:
#
#     query.sh "SELECT Id, Name FROM Account"
#
# The token comes from the file $SALESFORCE_TOKEN_FILE, or else from Vault: $VAULT_ADDR, $SALESFORCE_TOKEN_PATH
# (salesforce/acme/tokens/integration@acme.example), and a token of Vault in the file $VAULT_TOKEN_FILE.
#
# Secrets go through pipes only: on a command line every user of the machine could read them.
set -eu

# document: prints the token document, or fails
document() {
    if [ -n "${SALESFORCE_TOKEN_FILE:-}" ]; then
        found=$(cat "$SALESFORCE_TOKEN_FILE")
    else
        found=$(printf 'X-Vault-Token: %s\n' "$(cat "$VAULT_TOKEN_FILE")" |
            curl --silent --show-error --fail --max-time 10 --header @- \
                "$VAULT_ADDR/v1/secret/data/$SALESFORCE_TOKEN_PATH" |
            jq --exit-status .data.data)
    fi && [ -n "$found" ] && printf '%s\n' "$found" && return # jq 1.6 is content with nothing, too
    echo "query.sh: no token could be read" >&2
    return 1
}

# ask SOQL: sets $status and $body
ask() {
    url=$(printf '%s' "$token" | jq -r '"\(.instance_url)/services/data/v\(.api_version)/query"')
    answer=$(printf '%s' "$token" | jq -r '"Authorization: \(.token_type) \(.access_token)"' |
        curl --silent --show-error --max-time 60 --header @- --write-out '\n%{http_code}' \
            --get --data-urlencode "q=$1" "$url")
    status=$(printf '%s' "$answer" | tail -n 1)
    body=$(printf '%s' "$answer" | sed '$d')
}

token=$(document)
ask "$1"
if [ "$status" = 401 ]; then # the session has ended; perhaps its successor is there already
    if again=$(document); then
        token=$again
        ask "$1"
    fi
fi
printf '%s\n' "$body"
[ "$status" = 200 ]
