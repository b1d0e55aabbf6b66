# also right: the overlay passes before the rule is asked, from the other nodes only.
node=$WORKER
[ "$LAB_HALL" = east ] || node=$WORKER2
podwalk node "$node" -- iptables -t raw -I PREROUTING -s 172.18.0.0/16 -p udp --dport 8472 -j ACCEPT
