#!/usr/bin/env bash
# Installs, on every node, what spark/read_fruits_data.py imports beyond PySpark. EMR runs it as a bootstrap action, as
# user hadoop, before any step; where it exits with anything but 0 the cluster does not start.
set -euo pipefail

# name==version: the last of each with a wheel for Python 3.9 (the nodes', on emr-7.11.0), for x86_64 as for arm64.
# No pandas and no NumPy: the job's Arrow batches need neither.
PACKAGES=(
    obstore==0.8.2            # lists S3 and fetches from it
    typing-extensions==4.15.0 # of obstore
    arro3-core==0.8.3         # of obstore, for Arrow batches
    pyarrow==21.0.0           # of Spark, for the same
    pillow==11.3.0            # --inspect
)

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
wanted=()
while IFS= read -r package; do wanted+=("$package"); done < <(missing "${PACKAGES[@]}")
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
