# also right: SNAT with the address and the ports spelled out, before the rule that has too few.
podwalk node "$WORKER" -- iptables -t nat -I POSTROUTING 1 -s 10.244.0.0/16 -d 172.18.1.11/32 -p tcp \
  -j SNAT --to-source "$WORKER_IP:$LAB_FIRST-$((LAB_FIRST + 1023))" --random
