# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# Where the demonstration lives: folders, addresses, ports. Sourced by ./run.
#
# SALLYPORT_ADDRESS    the address that browsers and media reach (default 127.0.0.1: this machine only)
# SALLYPORT_TRUNK_ADDRESS  the address that carriers reach, where it is another one
# SALLYPORT_CARRIER    the demonstration carrier's own address (default 127.0.0.1), and
# SALLYPORT_CARRIER_PREFIX, SALLYPORT_CARRIER_FLAGS  a command to start it by and its options, for tests
# SALLYPORT_RELAY_ADDRESS  the native relay's address (default SALLYPORT_ADDRESS)
# SALLYPORT_PORT_SERVICE, SALLYPORT_PORT_RELAY, SALLYPORT_PORT_RELAY_TLS  these ports alone, such as 443
# SALLYPORT_PORT_BASE  all ports counted from here (100 of them), so that several can stand side by side
# SALLYPORT_RUN        folder of what lives as long as the demonstration (default build/run)
# SALLYPORT_TEMPLATE   another configuration template (default tests/demo/sallyport.yaml.in)

run_dir=${SALLYPORT_RUN:-$top/build/run}
certs_dir=$top/certs/dev
template=${SALLYPORT_TEMPLATE:-$top/tests/demo/sallyport.yaml.in}
address=${SALLYPORT_ADDRESS:-127.0.0.1}
trunk_address=${SALLYPORT_TRUNK_ADDRESS:-$address}
carrier=${SALLYPORT_CARRIER:-127.0.0.1}
relay=${SALLYPORT_RELAY_ADDRESS:-$address}
host=$address
[ "$address" != 127.0.0.1 ] || host=localhost

if [ -n "${SALLYPORT_PORT_BASE:-}" ]; then
  b=$SALLYPORT_PORT_BASE
  port_service=$b port_admin=$((b + 1)) port_tls=$((b + 2)) port_lab=$((b + 3)) port_lab_peer=$((b + 4))
  port_ctrl=$((b + 5)) port_carrier=$((b + 6)) # the carrier's TLS is one above its TCP
  port_names=$((b + 99)) port_native=$((b + 8))
  port_rtp_min=$((b + 10)) port_rtp_max=$((b + 59)) port_carrier_min=$((b + 60)) port_carrier_max=$((b + 89))
  port_relay=$((b + 9)) port_relay_tls=$((b + 10)) # TCP: no matter that media has that number in UDP
  port_relay_min=$((b + 90)) port_relay_max=$((b + 98))
else
  port_service=8443 port_admin=8081 port_tls=5061 port_lab=5070 port_lab_peer=5090
  port_ctrl=5075 port_carrier=5080
  port_names=5079 port_native=40000
  port_rtp_min=41000 port_rtp_max=41999 port_carrier_min=43000 port_carrier_max=43199
  port_relay=44000 port_relay_tls=44001 port_relay_min=44002 port_relay_max=44199
fi
port_service=${SALLYPORT_PORT_SERVICE:-$port_service}
port_relay=${SALLYPORT_PORT_RELAY:-$port_relay} port_relay_tls=${SALLYPORT_PORT_RELAY_TLS:-$port_relay_tls}
port_carrier_tls=$((port_carrier + 1))

number_alice=+15550100001 number_bob=+15550100002
number_echo=+15550199001 number_tone=+15550199002 number_lab=+15550199100
number_carrier=+15550188001 # the carrier's own, when it calls in
