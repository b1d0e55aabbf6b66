podwalk node "$WORKER2" -- sh -eu -c '
  handle=$(nft -a list chain inet baseline transit | sed -n "s/.*dport $1 .* # handle //p")
  nft delete rule inet baseline transit handle "$handle"' sh "$LAB_PORT"
