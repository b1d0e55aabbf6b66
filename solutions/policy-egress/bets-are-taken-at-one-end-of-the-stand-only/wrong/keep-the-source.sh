# fails: twenty bets in a row are taken
# If the rewriting is short of ports, then none: the bookmaker sees the Pod, and does not know where that is.
podwalk node "$WORKER" -- iptables -t nat -I POSTROUTING 1 -s 10.244.0.0/16 -d 172.18.1.11/32 -p tcp -j ACCEPT
