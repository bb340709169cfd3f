# Sourced by quickstart.sh and check.sh: brings what the build needs and builds the release preset.
#
# Everything is a Debian package.  What is there already is left alone; without root or apt the missing ones are named.

packages="g++ cmake ninja-build libboost-graph-dev libyaml-cpp-dev libcli11-dev libeigen3-dev libfmt-dev libpugixml-dev
  nlohmann-json3-dev libgtest-dev libbenchmark-dev python3-matplotlib"

missing_packages() {
  for package in $packages; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || printf '%s ' "$package"
  done
}

install_missing() {
  command -v dpkg-query >/dev/null || {
    echo "This is not a Debian machine. Install the equivalents of:" $packages >&2
    exit 5
  }
  local missing as_root=
  missing=$(missing_packages)
  [ -z "$missing" ] && return
  [ "$(id -u)" = 0 ] || as_root="sudo -n"
  if ! command -v apt-get >/dev/null || { [ -n "$as_root" ] && ! sudo -n true 2>/dev/null; }; then
    echo "Missing packages, and no right to install them. As root:  apt-get install $missing" >&2
    exit 5
  fi
  echo "Installing: $missing"
  { $as_root apt-get update -qq &&
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing; } \
    >build-setup.log 2>&1 || {
    tail -n 20 build-setup.log >&2
    echo "Installing failed; the log is build-setup.log. By hand:  apt-get install $missing" >&2
    exit 5
  }
  rm -f build-setup.log
}

build_release() {
  cmake --preset release >/dev/null
  cmake --build --preset release "$@"
}
