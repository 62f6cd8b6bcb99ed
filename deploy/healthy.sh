#!/bin/bash
# healthy PORT: whether this container answers GET /readyz on PORT with 200. The images have bash, but no HTTP client.
set -euo pipefail

exec 3<>"/dev/tcp/127.0.0.1/$1"
printf 'GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n' >&3
read -r _ status _ <&3
[ "$status" = 200 ]
