# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# The one list of Debian packages, by what they are for, and their installation. Sourced by ./run,
# ./check and the scenarios.

PACKAGES_BUILD="gcc make autoconf automake pkg-config libc6-dev
  libsofia-sip-ua-dev libsrtp2-dev libssl-dev libmicrohttpd-dev libgnutls28-dev zlib1g-dev libjansson-dev libyaml-dev
  libcurl4-openssl-dev libsqlite3-dev libsodium-dev libpcre2-dev libseccomp-dev libopus-dev libspandsp-dev libspeexdsp-dev libogg-dev liburing-dev openssl ca-certificates tzdata"
PACKAGES_DEMO="baresip-core coturn curl python3"
PACKAGES_BROWSER="chromium nodejs npm"
PACKAGES_TEST="libcriterion-dev clang libclang-rt-14-dev python3 python3-aiortc python3-aiohttp sip-tester kamailio
  kamailio-tls-modules linphone-cli python3-gi gir1.2-gst-plugins-bad-1.0 gir1.2-gst-plugins-base-1.0
  gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-nice tshark tcpdump iproute2 nftables procps xz-utils git sqlite3 autoconf-archive firefox-esr"
PACKAGES_DEB="debhelper dpkg-dev fakeroot lintian"
PACKAGES_BENCH="rtpengine-daemon janus python3 util-linux iproute2 procps"

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# need_packages WORD…: installs those of the named lists (build demo browser test bench deb) that are missing.
need_packages() {
  local list word name missing=""
  for word in "$@"; do
    list="PACKAGES_${word^^}"
    for name in ${!list}; do
      # a program that is there already (a newer Node) is as good as the package
      case "$name" in
      nodejs) command -v node >/dev/null 2>&1 && continue ;;
      npm) command -v npm >/dev/null 2>&1 && continue ;;
      esac
      dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null | grep -qx installed || missing="$missing $name"
    done
  done
  [ -n "$missing" ] || return 0
  if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null 2>&1; then
    echo "these packages are missing, and neither root nor sudo is at hand:$missing" >&2
    return 1
  fi
  echo "installing:$missing" >&2
  as_root apt-get update -qq >/dev/null || return 1
  # shellcheck disable=SC2086
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing </dev/null >/dev/null
}
