#!/bin/sh
# Writes the application's configuration with a password that only Parameter Store holds.
# The host reads it with the credentials of its own role; nothing secret is in the revision or the deployment.
set -eu
umask 077

name="/$APPLICATION_NAME/$DEPLOYMENT_GROUP_NAME/password"
folder="${TIDEGATE_HOST_ROOT:-}/srv/secrets-example"

# The same with the AWS CLI: aws ssm get-parameter --with-decryption --name "$name" --query Parameter.Value --output text
password=$(python3 "$(dirname "$0")/read_parameter.py" "$name")

printf 'password=%s\n' "$password" >"$folder/application.conf"
echo "the password of $name is in $folder/application.conf"
