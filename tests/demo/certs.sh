# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Development certificates under certs/dev, made when absent: a root, the gateway's, the demonstration
# carrier's. They are worth nothing outside this machine. Sourced by ./run.

# cert_make NAME SUBJECT_ALT_NAMES: NAME.pem (leaf and root) and NAME.key, signed by the root.
cert_make() {
  local name=$1 sans=$2
  (
    umask 077
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$name.key" -out "$name.csr" \
      -subj "/CN=${sans%%,*}" 2>/dev/null
  ) || return 1
  openssl x509 -req -in "$name.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 730 -out "$name.leaf" \
    -extfile <(echo "subjectAltName=$sans
basicConstraints=critical,CA:false
keyUsage=critical,digitalSignature
extendedKeyUsage=serverAuth,clientAuth") 2>/dev/null || return 1
  cat "$name.leaf" ca.pem >"$name.pem"
  rm -f "$name.csr" "$name.leaf"
}

cert_root() {
  (
    umask 077
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 730 -keyout ca.key -out ca.pem \
      -subj "/CN=Sallyport development root" -addext basicConstraints=critical,CA:true \
      -addext keyUsage=critical,keyCertSign,cRLSign 2>/dev/null
  ) && chmod 644 ca.pem
}

certs_need() {
  mkdir -p "$certs_dir" || return 1
  (
    cd "$certs_dir" || exit 1
    exec 8>.lock
    flock 8
    [ -f ca.pem ] || cert_root || exit 1
    [ -f gateway.pem ] ||
      cert_make gateway DNS:gw.sallyport.test,DNS:localhost,IP:127.0.0.1 || exit 1
    [ -f carrier.pem ] ||
      cert_make carrier DNS:carrier.sallyport.test,DNS:localhost,IP:127.0.0.1 || exit 1
    [ "$carrier" = 127.0.0.1 ] || [ -f "carrier-$carrier.pem" ] ||
      cert_make "carrier-$carrier" "DNS:carrier.sallyport.test,IP:$carrier" || exit 1
    # another address has a certificate of its own: names are never wider than what is used
    [ "$address" = 127.0.0.1 ] || [ -f "gateway-$address.pem" ] ||
      cert_make "gateway-$address" "DNS:gw.sallyport.test,DNS:localhost,IP:127.0.0.1,IP:$address" || exit 1
    [ "$relay" = "$address" ] || [ -f "relay-$relay.pem" ] || cert_make "relay-$relay" "DNS:relay.sallyport.test,IP:$relay" || exit 1
  )
}

cert_relay() {
  if [ "$relay" = "$address" ]; then cert_gateway; else echo "relay-$relay"; fi
}

cert_carrier() {
  if [ "$carrier" = 127.0.0.1 ]; then echo carrier; else echo "carrier-$carrier"; fi
}

cert_gateway() { # the name of the gateway's certificate, without its ending
  if [ "$address" = 127.0.0.1 ]; then echo gateway; else echo "gateway-$address"; fi
}
