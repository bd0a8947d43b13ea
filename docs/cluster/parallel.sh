#!/bin/sh
# A sharded set in N parts by GNU parallel, here or on the machines of a list:
#
#     sh parallel.sh model.yaml /shared/model 100 --sshloginfile machines --workdir .
#
# What follows N goes to parallel. Each part has as many threads as JOBS says, by default one.
set -eu
spec=$1 folder=$2 parts=$3
shift 3

seq "$parts" | parallel --retries 3 --quote "$@" xavinit generate "$spec" -o "$folder" \
    --max-shard-size "${SHARD_SIZE:-5GB}" --part "{}/$parts" -j "${JOBS:-1}"
