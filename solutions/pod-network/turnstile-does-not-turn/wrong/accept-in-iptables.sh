# fails: the visitor gets through both gates
# An ACCEPT at the very top of iptables. It ends the matter in that table; a drop in any table of the same hook still drops.
podwalk node "$WORKER2" -- iptables -I FORWARD -p tcp --dport "$LAB_PORT" -j ACCEPT
