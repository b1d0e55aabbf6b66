# also right: out of the raw table, and the two ports shut where one looks for it.
node=$WORKER
[ "$LAB_HALL" = east ] || node=$WORKER2
podwalk node "$node" -- iptables -t raw -F PREROUTING
podwalk node "$node" -- iptables -I INPUT -p udp -m multiport --dports 8125,9125 -j DROP
