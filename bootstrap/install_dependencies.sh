#!/usr/bin/env bash
# Installs, on every node, what spark/read_fruits_data.py imports beyond PySpark. EMR runs it as a bootstrap action, as
# user hadoop, before any step; where it exits with anything but 0 the cluster does not start.
set -euo pipefail

# name==version, each with a wheel for the nodes' Python (3.9 on emr-7.11.0). So far the job needs nothing but PySpark,
# which EMR brings.
PACKAGES=()

say() { printf 'install_dependencies: %s\n' "$*"; }

# Any version that is already there serves: a second run, or a node whose Python sees them, has nothing to do.
missing() {
    python3 - "$@" <<'PYTHON'
import sys
from importlib.metadata import PackageNotFoundError, version

for package in sys.argv[1:]:
    try:
        version(package.partition("==")[0])
    except PackageNotFoundError:
        print(package)
PYTHON
}

say "$(python3 --version) on $(uname -m)"
mapfile -t wanted < <(missing "${PACKAGES[@]}")
if ((${#wanted[@]} == 0)); then
    say "nothing to install"
    exit 0
fi
say "installing ${wanted[*]}"
if ! sudo python3 -m pip install --quiet --disable-pip-version-check --no-input --only-binary :all: "${wanted[@]}"; then
    say "could not install ${wanted[*]} for $(python3 --version) on $(uname -m); pip's reason is above" >&2
    exit 1
fi
say "done"
