#!/bin/sh
# Posts events, one in JSON a line, by curl: one by one or as a batch.
#
#   TOKEN=... post.sh URL CA structured|batch < lines
set -eu
url=$1 ca=$2 mode=$3
post() { # post CONTENT-TYPE: the body is standard input
	printf 'Authorization: Bearer %s\n' "$TOKEN" > "$private" # not an argument, which all may see
	curl --silent --show-error --fail-with-body --cacert "$ca" --header "@$private" --header "Content-Type: $1" --data-binary @- "$url"
}
private=$(mktemp)
trap 'rm -f "$private"' EXIT

if [ "$mode" = batch ]; then
	paste -sd, - | sed 's/.*/[&]/' | post application/cloudevents-batch+json
else
	while IFS= read -r event; do
		printf '%s' "$event" | post application/cloudevents+json
	done
fi
