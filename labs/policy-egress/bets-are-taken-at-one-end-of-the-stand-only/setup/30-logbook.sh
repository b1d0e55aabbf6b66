# This machine's ports towards the bookmaker, as somebody typed them: eight instead of 1024.
podwalk node "$WORKER" -- sh -eu -c '
  iptables -t nat -I POSTROUTING 1 -s 10.244.0.0/16 -d 172.18.1.11/32 -p tcp \
    -m comment --comment "logbook: 1024 ports" -j MASQUERADE --to-ports "$1-$(($1 + 7))"
  conntrack -D -p tcp -d 172.18.1.11 >/dev/null 2>&1 || true' sh "$LAB_FIRST"
# The symptom is there when the board has taken the last port.
i=0
until [ "$(podwalk node "$WORKER" -- sh -c 'conntrack -L -p tcp -d 172.18.1.11 --state ESTABLISHED 2>/dev/null | wc -l')" -ge 8 ] ||
  [ $i -ge 60 ]; do
  i=$((i + 1))
  sleep 0.25
done
