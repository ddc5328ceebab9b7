# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# The demonstration carrier: baresip over TLS with mandatory SRTP. One number echoes, one plays 1004 Hz,
# one calls in (told so through ctrl_tcp). Each call's sound is kept in WAV files. Sourced by ./run.

carrier_configure() {
  carrier_dir=$run_dir/carrier
  mkdir -p "$carrier_dir/sound"
  find "$carrier_dir/sound" -name 'dump-*.wav' -delete
  (umask 077 && cat "$certs_dir/$(cert_carrier).key" "$certs_dir/$(cert_carrier).pem" >"$carrier_dir/carrier.pem")
  cat >"$carrier_dir/config" <<END
poll_method epoll
sip_listen $carrier:$port_carrier
sip_certificate $carrier_dir/carrier.pem
sip_cafile $certs_dir/ca.pem
call_local_timeout 60
call_max_calls 16
ausrc_srate 48000
auplay_srate 48000
ausrc_channels 2
auplay_channels 2
audio_buffer 20-160
rtp_tos 184
rtp_ports $port_carrier_min-$port_carrier_max
rtcp_mux ${SALLYPORT_CARRIER_MUX:-no}
jitter_buffer_delay 2-10
dns_server 127.0.0.1:$port_names
net_interface $carrier
snd_path $carrier_dir/sound
module_path $(echo /usr/lib/*/baresip/modules /usr/lib/baresip/modules | tr ' ' '\n' | grep -v '[*]' | head -1)
module g711.so
module ausine.so
module aubridge.so
module sndfile.so
module srtp.so
${SALLYPORT_CARRIER_MODULE:+module $SALLYPORT_CARRIER_MODULE}
module_app account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen $carrier:$port_ctrl
END
  local at="$carrier;transport=tls" all="regint=0;mediaenc=srtp-mand;audio_codecs=PCMU,PCMA${SALLYPORT_CARRIER_ACCOUNT:-}"
  cat >"$carrier_dir/accounts" <<END
<sip:$number_echo@$at>;$all;answermode=auto;audio_source=aubridge,echo;audio_player=aubridge,echo
<sip:$number_tone@$at>;$all;answermode=auto;audio_source=ausine,1004;audio_player=aubridge,sink
<sip:$number_carrier@$at>;$all;answermode=manual;audio_source=ausine,1004;audio_player=aubridge,sink
END
}

carrier_start() {
  # shellcheck disable=SC2086
  setsid ${SALLYPORT_CARRIER_PREFIX:-} /usr/bin/python3 "$top/tests/demo/names.py" "$port_names" "$trunk_address" </dev/null >>"$carrier_dir/log" 2>&1 &
  names_pid=$!
  # shellcheck disable=SC2086
  setsid ${SALLYPORT_CARRIER_PREFIX:-} baresip ${SALLYPORT_CARRIER_FLAGS:-} -f "$carrier_dir" </dev/null >>"$carrier_dir/log" 2>&1 &
  carrier_pid=$!
  echo "$carrier_pid" >"$run_dir/carrier.pid"
}

carrier_wait() { # until its control socket takes connections, at most 10 s
  local i
  for i in $(seq 100); do
    ! (exec 3<>"/dev/tcp/$carrier/$port_ctrl") 2>/dev/null || return 0
    sleep 0.1
  done
  echo "the demonstration carrier does not start ($i tries):" >&2
  tail -n 20 "$carrier_dir/log" >&2
  return 1
}

carrier_watch() {
  kill -0 "$carrier_pid" 2>/dev/null && return 0
  process_end "$names_pid"
  carrier_start
}

carrier_stop() {
  process_end "${carrier_pid:-}"
  process_end "${names_pid:-}"
  rm -f "$run_dir/carrier.pid"
}
