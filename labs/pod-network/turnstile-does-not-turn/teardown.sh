# The auditors' table; and what a hurried hand may have put into iptables.
podwalk node "$WORKER2" -- sh -eu -c '
  nft delete table inet baseline 2>/dev/null || true
  for table in filter raw mangle; do
    for chain in FORWARD PREROUTING; do
      while iptables -t "$table" -D "$chain" -p tcp --dport "$1" -j ACCEPT 2>/dev/null; do :; done
    done
  done' sh "$LAB_PORT"
