# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What ./run tells: demo.json for programs, a page for people.

page_write() {
  local base="https://$host:$port_service"
  token_alice=$(token_for alice) && token_bob=$(token_for bob) || return 1
  admin_token=$(cat "$state_dir/admin.token") || return 1
  (
    umask 077
    cat >"$run_dir/demo.json.new" <<END
{
  "base": "$base",
  "ca": "$certs_dir/ca.pem",
  "admin": {"url": "http://127.0.0.1:$port_admin", "token": "$admin_token"},
  "users": {
    "alice": {"token": "$token_alice", "numbers": ["$number_alice"]},
    "bob": {"token": "$token_bob", "numbers": ["$number_bob"]}
  },
  "trunks": {
    "demo": {"sip": "sips:$trunk_address:$port_tls", "fqdn": "gw.sallyport.test"},
    "lab": {"sip": "sip:127.0.0.1:$port_lab"}
  },
  "dial": {"echo": "$number_echo", "tone": "$number_tone", "lab": "$number_lab"},
  "relay": {"address": "$relay", "port": $port_relay, "tls_port": $port_relay_tls},
  "lab_peer": "127.0.0.1:$port_lab_peer"
}
END
  ) && mv "$run_dir/demo.json.new" "$run_dir/demo.json"
}

page_print() {
  local base="https://$host:$port_service"
  cat <<END

Sallyport is up. Open a phone in a browser (it will ask about our own certificate once):

  Alice  $number_alice   $base/phone#token=$token_alice

  Bob    $number_bob   $base/phone#token=$token_bob

Dial    $number_echo   the carrier says back what you say
        $number_tone   the carrier plays a tone
        $number_lab   a softphone of yours at 127.0.0.1:$port_lab_peer (UDP)
        $number_bob   Bob, from Alice
Call in sip:$number_alice@127.0.0.1:$port_lab with a softphone on this machine rings Alice

The operators' console: calls as they happen, and the ladder of each

           http://127.0.0.1:$port_admin/#token=$admin_token

           curl -H "Authorization: Bearer $admin_token" http://127.0.0.1:$port_admin/admin/v1/records?limit=5

Root of the certificates  $certs_dir/ca.pem
For programs              $run_dir/demo.json
Logs                      $run_dir/*.log

Ctrl-C ends it.
END
}
