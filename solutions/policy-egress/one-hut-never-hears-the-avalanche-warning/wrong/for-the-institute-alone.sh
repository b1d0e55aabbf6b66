# fails: the outside sees nodes and never a Pod
# An exception for the address that somebody complained about. The next one to complain is the next one in the range.
podwalk node "$WORKER2" -- iptables -t nat -I POSTROUTING 1 -s 10.244.0.0/16 -d 172.18.1.11 -j MASQUERADE
