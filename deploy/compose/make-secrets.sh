#!/bin/sh
# Makes the secrets of docker-compose.yml that are not there yet; never changes one that is.
# usage: make-secrets.sh [folder]
#
# The folder is its owner's alone (0700). The files in it are readable (0444): Compose mounts them
# with the mode they have here, and the services run as a user of their own.
set -eu
folder=${1:-$(dirname "$0")/secrets}
umask 077
mkdir -p "$folder"
chmod 700 "$folder"

random() { od -An -v -N "$1" -tx1 /dev/urandom | tr -d ' \n'; }

# keep <name> <content>: written beside and linked into place, so that a file is whole or not there
keep() {
    [ -e "$folder/$1" ] && return 0
    printf '%s\n' "$2" >"$folder/.$1.$$"
    chmod 444 "$folder/.$1.$$"
    ln "$folder/.$1.$$" "$folder/$1"
    rm "$folder/.$1.$$"
    echo "made $folder/$1"
}

content() { cat "$folder/$1"; }

keep secret_key "$(random 32)"
keep postgres_password "$(random 24)"
keep database_url "postgresql://findme:$(content postgres_password)@postgres:5432/findme"
# Each service has a role of its own, which `findme migrate` makes.
for service in ingest recognition gallery media; do
    keep "${service}_database_url" "postgresql://findme_$service:$(random 24)@postgres:5432/findme"
done
keep rabbitmq_password "$(random 24)"
keep amqp_url "amqp://findme:$(content rabbitmq_password)@rabbitmq:5672/findme"
keep rabbitmq_user.conf "default_user = findme
default_pass = $(content rabbitmq_password)
default_vhost = findme"
# For an S3 server, or Rekognition: its keys are yours to write here.
keep s3_credentials "[default]
aws_access_key_id =
aws_secret_access_key ="
keep grafana_password "$(random 12)"
# Where alerts are sent is yours to write here; until then Alertmanager shows them on its page.
keep alert_webhook_url ""
