# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# The native relay: Debian's coturn with the configuration that sallyportd prints for the relay "demo". A
# template without relays has none. Sourced by ./run.

has_relay() { grep -q '^relays:' "$template"; }

# The shared secret, made once; the configuration's check asks for it.
relay_secret() {
  has_relay || return 0
  [ -s "$state_dir/relay.secret" ] || (umask 077 && openssl rand -hex 24 >"$state_dir/relay.secret") || return 1
  [ "$(id -u)" != 0 ] || chown nobody "$state_dir/relay.secret"
}

relay_configure() {
  has_relay || return 0
  (umask 077 && "$build/sallyportd" --config "$run_dir/sallyport.yaml" --print-relay-config demo >"$run_dir/relay.conf")
}

relay_start() {
  has_relay || return 0
  local become=() ours
  [ "$(id -u)" != 0 ] || become=(--proc-user nobody --proc-group nogroup)
  ours=(--userdb "$state_dir/relay.db" --pidfile "$run_dir/relay.coturn" --log-file stdout --simple-log --relay-threads 1)
  setsid env -u NOTIFY_SOCKET turnserver -c "$run_dir/relay.conf" "${ours[@]}" "${become[@]}" </dev/null >>"$run_dir/relay.log" 2>&1 &
  relay_pid=$!
  echo "$relay_pid" >"$run_dir/relay.pid"
}

relay_wait() { # until it takes connections, at most 10 s
  has_relay || return 0
  local i
  for i in $(seq 100); do
    kill -0 "$relay_pid" 2>/dev/null || break
    ! (exec 3<>"/dev/tcp/$relay/$port_relay") 2>/dev/null || return 0
    sleep 0.1
  done
  echo "the relay does not start ($i tries):" >&2
  tail -n 20 "$run_dir/relay.log" >&2
  return 1
}

relay_watch() {
  ! has_relay || kill -0 "$relay_pid" 2>/dev/null || { sleep 1; relay_start; }
}

relay_stop() {
  process_end "${relay_pid:-}"
  rm -f "$run_dir/relay.pid" "$run_dir/relay.conf" "$run_dir/relay.coturn"
}
