#!/bin/sh
# Sends events, one in JSON a line after its key and a bar, by kcat in structured mode.
#
#   kcat.sh BROKERS TOPIC none|gzip|snappy|lz4|zstd < lines
set -eu
brokers=$1 topic=$2 codec=$3
kcat -P -b "$brokers" -t "$topic" -K '|' -z "$codec" -X enable.idempotence=true \
	-H content-type=application/cloudevents+json
