#!/bin/sh
# Programs that some tests need: a browser and what Playwright's driver loads, PostgreSQL, Node, promtool, Alertmanager.
# Installed with apt as root; elsewhere the tests that miss one are skipped and say so.  Called once by `make test`.
set -eu
wanted=""
command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null \
    || wanted="$wanted chromium"
command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || wanted="$wanted postgresql"
/sbin/ldconfig -p 2>/dev/null | grep -q libatomic.so.1 || wanted="$wanted libatomic1"
command -v promtool >/dev/null || wanted="$wanted prometheus"
command -v prometheus-alertmanager >/dev/null || command -v alertmanager >/dev/null \
    || wanted="$wanted prometheus-alertmanager"
command -v npm >/dev/null || wanted="$wanted nodejs npm"
[ -n "$wanted" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "Not installed:$wanted. The tests that need them are skipped; install them to run everything." >&2
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
export RUNLEVEL=1  # installed, but no service is started
apt-get update -qq || { echo "apt-get update failed: tests that need$wanted are skipped." >&2; exit 0; }
for package in $wanted; do
    apt-get install -y -qq --no-install-recommends "$package" >/dev/null \
        || echo "apt-get could not install $package: the tests that need it are skipped." >&2
done
