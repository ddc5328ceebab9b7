# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# The gateway's two programs: configuration, start, restart when one dies, end. Sourced by ./run.

# Whom the programs become. A folder that "nobody" cannot reach is no place for state: then they keep
# theirs under /var/tmp.
house_places() {
  user=$(id -un 2>/dev/null) || user=nobody # one without a name: it stays who it is
  state_dir=$run_dir/state live_dir=$run_dir
  mkdir -p "$run_dir" || return 1
  chmod 755 "$run_dir"
  if [ "$(id -u)" = 0 ]; then
    user=nobody
    if ! setpriv --reuid=nobody --regid=nogroup --clear-groups test -x "$run_dir"; then
      live_dir=/var/tmp/sallyport-$(echo "$run_dir" | cksum | cut -d' ' -f1)
      state_dir=$live_dir/state
      # A shared folder: what somebody else put there before us is not ours to use.
      if [ -e "$live_dir" ] && [ "$(stat -c %U "$live_dir")" != root ]; then
        echo "$live_dir is there already and not root's" >&2
        return 1
      fi
      mkdir -p "$live_dir"
      chmod 755 "$live_dir"
      echo "the user nobody, whom the programs become, cannot reach $run_dir: calls work, but a reload or a commit of the configuration is refused. A checkout in a folder that all may enter, as /srv, has no such limit." >&2
    fi
  fi
  mkdir -p "$state_dir"
  chmod 700 "$state_dir"
  [ "$(id -u)" != 0 ] || chown nobody "$state_dir"
  # The socket's folder belongs to the media process, which makes it after it gave up root.
  mkdir -p "$live_dir/media"
  [ "$(id -u)" != 0 ] || chown nobody "$live_dir/media"
}

# What root made only root could read again at a reload: the programs get certificates of their own.
house_certs() {
  house_certs_dir=$certs_dir
  [ "$(id -u)" = 0 ] || return 0
  house_certs_dir=$live_dir/certs
  local name
  (umask 077 && mkdir -p "$house_certs_dir" && cp "$certs_dir/ca.pem" "$house_certs_dir/") || return 1
  for name in gateway "$(cert_gateway)" "$(cert_relay)"; do
    (umask 077 && cp "$certs_dir/$name.pem" "$certs_dir/$name.key" "$house_certs_dir/") || return 1
  done
  chown -R nobody "$house_certs_dir" && chmod 755 "$house_certs_dir" && chmod 644 "$house_certs_dir"/*.pem
}

house_configure() {
  house_certs || return 1
  # Dialplans are edited where they are: the demonstration has its own.
  mkdir -p "$run_dir/dialplans" && cp "$top"/dialplans/*.yaml "$top"/dialplans/*.csv "$run_dir/dialplans/" || return 1
  local plan
  for plan in $(grep -o 'tests/scenario/[a-z]*\.plan\.yaml' "$template"); do # a test's, where "nobody" reads it again
    cp "$top/$plan" "$run_dir/dialplans/" || return 1
  done
  sed -e "s|@TOP@/tests/scenario/\([a-z]*\.plan\.yaml\)|@TOP@/dialplans/\1|g" \
    -e "s|@TOP@/dialplans/|$run_dir/dialplans/|g; s|@TOP@|$top|g; s|@RUN@|$live_dir/media|g; s|@STATE@|$state_dir|g; s|@CERTS@|$house_certs_dir|g" \
    -e "s|@USER@|$user|g; s|@LOG_LEVEL@|${SALLYPORT_LOG_LEVEL:-info}|g" \
    -e "s|@ADDRESS@|$address|g; s|@HOST@|$host|g; s|@GATEWAY@|$(cert_gateway)|g" \
    -e "s|@CARRIER@|$carrier|g; s|@TRUNK_ADDRESS@|$trunk_address|g" \
    -e "s|@PORT_SERVICE@|$port_service|g; s|@PORT_ADMIN@|$port_admin|g; s|@PORT_TLS@|$port_tls|g" \
    -e "s|@PORT_LAB@|$port_lab|g; s|@PORT_LAB_PEER@|$port_lab_peer|g; s|@PORT_NATIVE@|$port_native|g" \
    -e "s|@PORT_RTP_MIN@|$port_rtp_min|g; s|@PORT_RTP_MAX@|$port_rtp_max|g" \
    -e "s|@RELAY@|$relay|g; s|@RELAY_CERT@|$(cert_relay)|g; s|@PORT_RELAY@|$port_relay|g; s|@PORT_RELAY_TLS@|$port_relay_tls|g" \
    -e "s|@PORT_RELAY_MIN@|$port_relay_min|g; s|@PORT_RELAY_MAX@|$port_relay_max|g" \
    -e "s|@PORT_CARRIER_TLS@|$port_carrier_tls|g" "$template" >"$run_dir/sallyport.yaml" &&
    "$build/sallyportd" --config "$run_dir/sallyport.yaml" --check-config >/dev/null
}

# Programs run in sessions of their own, so that Ctrl-C reaches this script alone and ends in order.
media_start() {
  setsid "$build/sallyport-media" --config "$run_dir/sallyport.yaml" >>"$run_dir/media.log" 2>&1 &
  media_pid=$!
  echo "$media_pid" >"$run_dir/media.pid"
}

signaling_start() {
  setsid "$build/sallyportd" --config "$run_dir/sallyport.yaml" >>"$run_dir/sallyportd.log" 2>&1 &
  signaling_pid=$!
  echo "$signaling_pid" >"$run_dir/sallyportd.pid"
}

# One demonstration a folder. Its programs keep the lock too.
house_lock() {
  exec 7>"$run_dir/.lock" || return 1
  flock -n 7 && return 0
  echo "it runs already in $run_dir; Ctrl-C where it was started ends it ($(cd "$run_dir" && grep -H . ./*.pid 2>/dev/null | tr '\n' ' '))" >&2
  return 1
}

house_start() {
  local port
  for port in "127.0.0.1/$port_admin" "$address/$port_service" "$trunk_address/$port_tls" "127.0.0.1/$port_ctrl" "$relay/$port_relay"; do
    if (exec 3<>"/dev/tcp/$port") 2>/dev/null; then
      echo "port ${port#*/} is taken: another one runs? (SALLYPORT_PORT_BASE chooses other ports)" >&2
      return 1
    fi
  done
  : >"$run_dir/media.log"
  : >"$run_dir/sallyportd.log"
  : >"$run_dir/ends"
  media_start
  signaling_start
  house_wait
}

house_wait() { # until /readyz says so, at most 20 s
  local i
  for i in $(seq 200); do
    kill -0 "$signaling_pid" 2>/dev/null || break
    ! curl -s -f -o /dev/null -m 2 "http://127.0.0.1:$port_admin/readyz" || return 0
    sleep 0.1
  done
  echo "the gateway does not get ready ($i tries); its last words:" >&2
  tail -n 20 "$run_dir/sallyportd.log" "$run_dir/media.log" >&2
  return 1
}

# house_end NAME PID WORD: how it ended, for who asks why (tests do): its exit status as the shell has it.
house_end() {
  wait "$2" 2>/dev/null
  echo "$1 $2 $? $3" >>"$run_dir/ends"
}

# Starts again what died. Five deaths within a minute are too many, unless somebody kills on purpose.
deaths="" deaths_max=${SALLYPORT_DEATHS:-5}
house_watch() {
  local now=$SECONDS
  if ! kill -0 "$media_pid" 2>/dev/null; then
    house_end media "$media_pid" died
    echo "sallyport-media died: started again ($run_dir/media.log)" >&2
    media_start
  elif ! kill -0 "$signaling_pid" 2>/dev/null; then
    house_end sallyportd "$signaling_pid" died
    echo "sallyportd died: started again ($run_dir/sallyportd.log)" >&2
    signaling_start
  else
    return 0
  fi
  deaths="$now $deaths"
  # shellcheck disable=SC2086
  set -- $deaths
  [ $# -lt "$deaths_max" ] || [ $((now - ${!deaths_max})) -gt 60 ]
}

process_end() { # process_end PID [NAME]: asks, waits up to 15 s, says where it stands, insists
  local i
  [ -n "${1:-}" ] && kill "$1" 2>/dev/null || return 0
  for i in $(seq 150); do
    kill -0 "$1" 2>/dev/null || return 0
    sleep 0.1
  done
  echo "${2:-process} $1 did not end by itself after $i tries" >&2
  [ -z "${2:-}" ] || ! command -v gdb >/dev/null || timeout 20 gdb -p "$1" -batch -ex 'thread apply all bt 12' </dev/null >&2 2>/dev/null
  kill -KILL "$1" 2>/dev/null
}

house_stop() {
  process_end "${signaling_pid:-}" sallyportd
  [ -z "${signaling_pid:-}" ] || house_end sallyportd "$signaling_pid" asked
  process_end "${media_pid:-}" sallyport-media
  [ -z "${media_pid:-}" ] || house_end media "$media_pid" asked
  rm -f "$run_dir/media.pid" "$run_dir/sallyportd.pid"
}

# token_for USER: an access token of a day.
token_for() {
  "$build/sallyportd" --config "$run_dir/sallyport.yaml" --mint-token "$1" --ttl 86400
}
