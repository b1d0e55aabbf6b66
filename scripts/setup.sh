# Sourced by ./start, ./test and ./demo: brings a fresh Debian or Ubuntu machine to the point where podwalk runs.
# POSIX sh, because a fresh machine may have nothing else. Functions only; each says what it does when it takes long.

# The system packages: what the data plane calls, and the tools that learners use in Pods and on nodes.
PODWALK_PACKAGES="iproute2 iptables nftables conntrack tcpdump iputils-ping procps containernetworking-plugins
curl bind9-dnsutils busybox-static netcat-openbsd openssl"

say() { printf '%s\n' "podwalk: $*"; }

fail() {
    printf '%s\n' "podwalk: $*" >&2
    exit 3
}

# as_root CMD…: run as root, by sudo where we are not. Fails with the command to type where we cannot.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        sudo "$@"
    elif command -v sudo >/dev/null 2>&1 && [ -t 0 ]; then
        say "sudo asks for your password to run: $*"
        sudo "$@"
    else
        fail "this needs root, and there is no sudo; ask somebody who has it to run: $*"
    fi
}

# package_of TOOL: true where the file or command that a package brings is there.
have_package() {
    case $1 in
    iproute2) tool=ip ;;
    iptables) tool=iptables-nft-restore ;;
    nftables) tool=nft ;;
    conntrack) tool=conntrack ;;
    tcpdump) tool=tcpdump ;;
    iputils-ping) tool=ping ;;
    procps) tool="ps" ;;
    containernetworking-plugins)
        [ -x /usr/lib/cni/bridge ] || [ -x /opt/cni/bin/bridge ]
        return
        ;;
    curl) tool=curl ;;
    bind9-dnsutils) tool=dig ;;
    busybox-static) tool=busybox ;;
    netcat-openbsd) tool=nc ;;
    openssl) tool=openssl ;;
    bird2) tool=bird ;;
    nginx-light) tool=nginx ;;
    chromium-driver) tool=chromedriver ;;
    *) [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; return ;;
    esac
    PATH=$PATH:/usr/sbin:/sbin command -v $tool >/dev/null 2>&1
}

find_python() {
    for candidate in ${PODWALK_PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

install_packages() {
    missing=
    for package in $PODWALK_PACKAGES; do
        have_package "$package" || missing="$missing $package"
    done
    python=$(find_python) || missing="$missing python3 python3-venv"
    if [ -n "$python" ] && ! "$python" -c 'import ensurepip' 2>/dev/null; then
        missing="$missing python3-venv"
    fi
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null 2>&1 ||
        fail "missing:$missing; this is not Debian or Ubuntu, so install them with your own package manager"
    say "installing system packages:$missing"
    as_root apt-get update -qq || fail "apt-get update failed; is the machine online?"
    # shellcheck disable=SC2086
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null ||
        fail "apt-get could not install:$missing"
    python=$(find_python) || fail "Python 3.11 or newer is needed; this system brings $(python3 --version 2>&1)"
}

# make_venv EXTRAS: .venv with podwalk and these extras; nothing to do when pyproject.toml has not changed since.
make_venv() {
    venv=${PODWALK_VENV:-$root/.venv}
    stamp="$venv/.podwalk-$(printf '%s' "$1" | tr -c '[:lower:]' _)"
    if [ ! -x "$venv/bin/python" ]; then
        say "making a virtual environment in $venv"
        "$python" -m venv "$venv" || fail "$python -m venv failed; install python3-venv"
    fi
    if [ ! -f "$stamp" ] || [ -n "$(find "$root/pyproject.toml" -newer "$stamp")" ]; then
        say "installing podwalk and its Python packages ($1), a minute or two"
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -e "${root}[$1]" ||
            fail "pip could not install podwalk[$1]; the lines above say why"
        # An editable install compiles nothing, and the first cluster should start as fast as the second.
        "$venv/bin/python" -m compileall -q "$root/src/podwalk"
        touch "$stamp"
    fi
    PATH="$venv/bin:$PATH:/usr/sbin:/sbin"
    export PATH
}

install_kubectl() {
    command -v kubectl >/dev/null 2>&1 && return
    "$venv/bin/python" "$root/scripts/get-kubectl" ||
        fail "kubectl is missing; install it as https://kubernetes.io/docs/tasks/tools/ says, then run this again"
}

# setup EXTRAS: everything above.
setup() {
    install_packages
    make_venv "$1"
    install_kubectl
}
