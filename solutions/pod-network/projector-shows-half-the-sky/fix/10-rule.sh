# The auditors' rule, with the ports that it was made for.
node=$WORKER
[ "$LAB_HALL" = east ] || node=$WORKER2
podwalk node "$node" -- iptables -t raw -R PREROUTING 1 -p udp -m multiport --dports 8125,9125 -j DROP
