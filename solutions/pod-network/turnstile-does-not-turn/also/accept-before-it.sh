# also right: within one chain the first verdict counts, so an accept before the drop lets the port through, for everybody.
podwalk node "$WORKER2" -- nft insert rule inet baseline transit tcp dport "$LAB_PORT" accept
